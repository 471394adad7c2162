import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import serverless from '../examples/serverless.ts'

/** All texts, and a timeout that does not keep the reader waiting. */
const all = ['--visibility', '2']

export default claims(serverless, {
  'poison-alone': {
    says: 'The poison message is alone among the dead letters, and every text is counted.',
    holds: ({ deadLetters, objects, texts }) => deadLetters === 1 && objects === texts,
    values: ({ deadLetters, objects, texts }) => `${deadLetters} dead letter, ${objects} of ${texts} texts`,
    args: all,
  },
  'same-words': {
    says: 'It finds the 1,789,020 words of `wordcount`.',
    holds: ({ words }) => words === 1_789_020,
    values: ({ words }) => `${words} words`,
    args: all,
  },
  'cold-is-slower': {
    says: 'A cold start takes at least twice as long as a warm invocation.',
    holds: ({ starts: { cold, warm } }) => cold.ms >= 2 * warm.ms,
    values: ({ starts: { cold, warm } }) => `${milliseconds(cold.ms)} and ${milliseconds(warm.ms)}`,
    args: all,
  },
  'never-more': {
    says: 'With `--concurrency 2` there are never more than two invocations at once.',
    holds: ({ mostAtOnce }) => mostAtOnce === 2,
    values: ({ mostAtOnce }) => `${mostAtOnce} at once`,
    args: all,
  },
  resumed: {
    says: 'The second process replays these, begins the others, and finds the same words.',
    holds: ({ durable: { jobs, lives, replayed, begun, words }, words: expected }) =>
      lives === 2 && replayed >= jobs / 2 && replayed + begun === jobs && words === expected,
    values: ({ durable: { jobs, replayed, begun } }) => `${replayed} of ${jobs} jobs replayed, ${begun} begun`,
    args: all,
  },
})

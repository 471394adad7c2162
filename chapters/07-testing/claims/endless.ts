import { claims } from '@repo/common/example/claims'
import endless from '../examples/endless.ts'

export default claims(endless, {
  'one-endless-trace': {
    says: 'With parents, all rounds are one trace, and each adds three spans and two levels to it.',
    holds: ({ chains }) =>
      chains.every(
        ({ rounds, parent: { traces, spans, deepest } }) =>
          traces === 1 && spans === 3 * rounds + 1 && deepest === 2 * rounds + 1,
      ),
    values: ({ chains }) =>
      chains.map(({ rounds, parent: { spans } }) => `${spans} spans in ${rounds} rounds`).join(', '),
  },
  'a-trace-each': {
    says: 'With links, each round is a trace of its own, and none has more than three spans.',
    holds: ({ chains }) => chains.every(({ rounds, link: { traces, spans } }) => traces === rounds + 1 && spans <= 3),
    values: ({ chains }) =>
      chains.map(({ rounds, link: { traces, spans } }) => `${rounds} rounds: ${traces} of up to ${spans}`).join(', '),
  },
})

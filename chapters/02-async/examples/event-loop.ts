/**
 * event-loop: what runs before what, and what a long computation does to everything else
 *
 *     pnpm --filter 02-async start event-loop
 *     pnpm --filter 02-async start event-loop --slice 2
 *
 * First the order of callbacks, predicted and observed. Then the words of all State of the Union addresses are counted
 * three times: at once, in slices, and on another thread. Meanwhile the event loop's delay is watched.
 *
 * Look for: the same result each time, and how long a request would have waited for an answer meanwhile.
 */
import { readFile } from 'node:fs'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bold, count, milliseconds, table } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { type Watched, watchLoop } from '../src/event-loop/loop-delay.ts'
import { predicted } from '../src/event-loop/quiz.ts'
import { countWordsInSteps, runAtOnce, runInSlices, startWordCounter, type WordCount } from '../src/event-loop/words.ts'

/** The quiz: one callback of every kind. Returns their names in the order in which they ran. */
export async function observe(): Promise<string[]> {
  const order: string[] = []
  const log = (name: string) => void order.push(name)
  const done = Promise.withResolvers<void>()

  // In the callback of a file read: in the main program, the order of timers and immediates would be a matter of luck.
  readFile(import.meta.filename, () => {
    // #region quiz
    setTimeout(() => log('setTimeout 0'), 0)
    setImmediate(() => {
      log('setImmediate')
      queueMicrotask(() => log('microtask of setImmediate'))
      setImmediate(() => {
        log('setImmediate of setImmediate')
        done.resolve()
      })
    })
    setImmediate(() => log('second setImmediate'))
    Promise.resolve().then(() => log('promise.then'))
    queueMicrotask(() => {
      log('queueMicrotask')
      process.nextTick(() => log('nextTick of a microtask'))
    })
    process.nextTick(() => {
      log('nextTick')
      process.nextTick(() => log('nextTick of a nextTick'))
    })
    void (async () => {
      log('async function, up to await')
      await undefined
      log('code after await')
    })()
    // #endregion quiz
    log('end of the callback')
    // Busy until the timer is due; otherwise it might run in a later turn.
    for (const end = performance.now() + 3; performance.now() < end; );
  })
  await done.promise
  return order
}

export default example(import.meta, {
  options: {
    slice: number(0.1, 1_000).default(5).describe('ms to compute before the event loop gets a turn'),
    rounds: wholeNumber(1, 100).default(5).describe('how often each way is timed'),
  },
  quick: { rounds: 3 },

  async run({ slice, rounds }, { signal, print }) {
    const observed = await observe()
    const names = predicted.map(({ name }) => name)
    print(
      bold('In the callback of a file that has been read'),
      table(
        ['', 'predicted', 'observed', 'why'],
        predicted.map(({ name, why }, at) => {
          const seen = observed[at] ?? 'nothing'
          return [at + 1, name, seen === name ? 'the same' : seen, why]
        }),
      ),
      '',
    )
    const agrees = observed.join() === names.join()
    if (!agrees) throw new Error(`observed another order than predicted: ${observed.join(', ')}`)

    // A long computation in three ways. At once, it holds the loop up; in slices, the loop turns in between; on a
    // thread of its own, it does not touch this loop at all.
    const texts = stateOfTheUnion().map(({ text }) => text)
    await using counter = await startWordCounter(texts)
    const ways: Record<string, () => WordCount | Promise<WordCount>> = {
      'at once': () => runAtOnce(countWordsInSteps(texts)),
      [`in slices of ${slice} ms`]: () => runInSlices(countWordsInSteps(texts), slice),
      'on a thread': counter.countWords,
    }
    const runs: (Watched<WordCount> & { name: string })[] = []
    using bar = progress('counting words', (rounds + 1) * 3)
    // In turn; the first round is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const [name, countWords] of Object.entries(ways)) {
        signal.throwIfAborted()
        runs.push({ name, ...(await watchLoop(countWords)) })
        bar.update(runs.length)
      }
    }
    const results = new Set(runs.map(({ result }) => JSON.stringify(result)))
    if (results.size > 1) throw new Error(`the ways disagree: ${[...results].join(' and ')}`)
    const { words, distinct } = runs[0]?.result ?? { words: 0, distinct: 0 }

    const computations = Object.keys(ways).map((name) => {
      const counted = runs.slice(3).filter((run) => run.name === name)
      const middle = (of: 'ms' | 'longestDelayMs') => median(counted.map((run) => run[of]))
      return { name, ms: middle('ms'), longestDelayMs: middle('longestDelayMs') }
    })
    print(
      bold(`Counting ${count(words)} words (${count(distinct)} different ones)`),
      table(
        ['', 'time', "the event loop's longest delay"],
        computations.map(({ name, ms, longestDelayMs }) => [name, milliseconds(ms), milliseconds(longestDelayMs)]),
      ),
    )
    return { predicted: names, observed, agrees, words, distinct, computations }
  },
  figure: ({ observed, computations }) =>
    `${observed.length} callbacks as predicted; the loop's longest delay ${computations.map(({ name, longestDelayMs }) => `${name} ${milliseconds(longestDelayMs)}`).join(', ')}`,
})

/**
 * event-loop: what runs before what, and what a long computation does to everything else
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 02-async start event-loop
 *     pnpm --filter 02-async start event-loop --slice 2
 *
 * First the order of callbacks, predicted and observed. Then the words of all State of the Union addresses are counted,
 * three times: at once, in slices, and on a thread of its own, while the event loop's delay is watched.
 *
 * Look for: the same result each time, and how long a request would have had to wait for an answer meanwhile.
 */
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bold, count, milliseconds, table } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { observe, predicted } from '../src/event-loop/order.ts'
import { countWordsInSteps, runAtOnce, runInSlices, type WordCount } from '../src/event-loop/words.ts'

export default example(import.meta, {
  options: {
    slice: number(0.1, 1_000).default(5).describe('ms to compute before the event loop gets a turn'),
    rounds: wholeNumber(1, 100).default(5).describe('how often each way is timed'),
  },
  quick: { rounds: 3 },

  async run({ slice, rounds }, { signal, print }) {
    const observed = await observe(import.meta.filename)
    const names = predicted.map(({ name }) => name)
    const agrees = observed.join() === names.join()
    print(
      bold('In the callback of a file that has been read'),
      table(
        ['', 'predicted', 'observed', 'why'],
        predicted.map(({ name, why }, at) => [
          at + 1,
          name,
          observed[at] === name ? 'so it is' : `${observed[at]}`,
          why,
        ]),
      ),
      '',
    )
    if (!agrees) throw new Error(`observed another order than predicted: ${observed.join(', ')}`)

    const texts = stateOfTheUnion().map(({ text }) => text)
    await using thread = await startThread(texts)
    const ways: Record<string, () => WordCount | Promise<WordCount>> = {
      'at once': () => runAtOnce(countWordsInSteps(texts)),
      [`in slices of ${slice} ms`]: () => runInSlices(countWordsInSteps(texts), slice),
      'on a thread': thread.countWords,
    }
    using bar = progress('counting words', (rounds + 1) * 3)
    const samples = new Map(Object.keys(ways).map((name) => [name, { ms: [] as number[], delays: [] as number[] }]))
    const counts = new Set<string>()
    let done = 0
    let last: WordCount = { words: 0, distinct: 0 }
    // In turn; the first round is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const [name, countWords] of Object.entries(ways)) {
        signal.throwIfAborted()
        const histogram = monitorEventLoopDelay({ resolution: 1 })
        histogram.enable()
        // It measures from one look at the clock to the next, and so needs a first one.
        await delay(20)
        const start = performance.now()
        last = await countWords()
        const ms = performance.now() - start
        // What held the loop up is noticed when it turns again.
        await delay(20)
        histogram.disable()
        counts.add(JSON.stringify(last))
        if (round > 0) {
          samples.get(name)?.ms.push(ms)
          samples.get(name)?.delays.push(histogram.max / 1e6)
        }
        bar.update(++done)
      }
    }
    if (counts.size > 1) throw new Error(`the ways disagree: ${[...counts].join(' and ')}`)

    const computations = [...samples].map(([name, { ms, delays }]) => ({
      name,
      ms: median(ms),
      longestDelayMs: median(delays),
    }))
    print(
      bold(`Counting ${count(last.words)} words (${count(last.distinct)} different ones)`),
      table(
        ['', 'time', "the event loop's longest delay"],
        computations.map(({ name, ms, longestDelayMs }) => [name, milliseconds(ms), milliseconds(longestDelayMs)]),
      ),
    )
    return { predicted: names, observed, agrees, ...last, computations }
  },
  figure: ({ observed, computations }) =>
    `${observed.length} callbacks as predicted; the loop's longest delay ${computations.map(({ name, longestDelayMs }) => `${name} ${milliseconds(longestDelayMs)}`).join(', ')}`,
})

/** A thread with the texts, ready to count; the loop of the thread that waits for it stays free. */
async function startThread(texts: string[]) {
  const worker = new Worker(new URL('../src/event-loop/words.worker.ts', import.meta.url), { workerData: texts })
  await once(worker, 'online')
  return {
    async countWords(): Promise<WordCount> {
      worker.postMessage('count')
      const [result] = await once(worker, 'message')
      return result
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}

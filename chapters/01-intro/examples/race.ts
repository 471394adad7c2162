/**
 * race: threads add to one counter in shared memory; without protection updates are lost, and correctness has its price
 *
 *     pnpm --filter 01-intro start race
 *     pnpm --filter 01-intro start race --workers 4 --additions 1000000
 *     pnpm --filter 01-intro start race --apart 8
 *
 * First the race in slow motion: every thread reads the counter, then every thread writes what it read plus one. Then
 * at full speed, in five ways: without protection, with Atomics.add, with a mutex, and with one counter per thread,
 * summed at the end, the counters once side by side and once --apart bytes away from each other.
 *
 * Look for: how many updates are lost without protection, a different number each time; that the other ways lose none;
 * and that the fastest correct way is not to share at all: not the counter, and not even its cache line. Whether a shared
 * cache line costs anything depends on the cores: two that share their cache need not send it to and fro.
 */
import { aborted } from '@repo/common/async/abort'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { oneOf, wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { barPlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, green, howMany, milliseconds, red, table, times } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { type Counting, type Increment, memoryFor, type Span, total } from '../src/race/counting.ts'

/** How a thread adds 1, in each of the ways. Threads get these functions as source text. */
// #region increments
export const increments = {
  // One thread alone cannot lose anything.
  alone: ({ counters }) => counters[0]++,
  // Three steps: read, add, write. What another thread writes between the first and the last is lost.
  unprotected: ({ counters }) => counters[0]++,
  // One step for the processor: the cache line stays with this core until it is done.
  atomic: ({ counters }) => Atomics.add(counters, 0, 1),
  // Three steps, but only one thread at a time.
  mutex: ({ counters, mutex }) => {
    mutex.lock()
    counters[0]++
    mutex.unlock()
  },
  // A counter for each thread, side by side: correct, but the cores take the shared cache line from each other.
  adjacent: ({ counters }, thread) => counters[thread]++,
  // A counter for each thread, and room between them: with 128 bytes each lies on a cache line of its own.
  padded: ({ counters, stride }, thread) => counters[stride * thread]++,
} satisfies Record<string, Increment>
// #endregion increments

/** The race in slow motion: no thread writes before all have read. */
// #region in-step
export const inStep: Increment = ({ counters, barrier }) => {
  const read = counters[0]
  barrier()
  counters[0] = read + 1
}
// #endregion in-step

const namesOf = (apart: string) => ({
  alone: 'one thread alone',
  unprotected: 'one counter, unprotected',
  atomic: 'one counter, Atomics.add',
  mutex: 'one counter, mutex',
  adjacent: 'a counter each, side by side',
  padded: `a counter each, ${apart} bytes apart`,
})
const ways = Object.keys(increments) as (keyof typeof increments)[]

export default example(import.meta, {
  options: {
    workers: wholeNumber(2, 64)
      .default(Math.min(64, Math.max(2, coreCount())))
      .describe('threads that add'),
    additions: wholeNumber(1, 100_000_000).default(20_000_000).describe('additions per thread'),
    apart: oneOf('4', '8', '16', '32', '64', '128')
      .default('128')
      .describe('bytes from one counter to the next in the last row'),
  },
  quick: { additions: 5_000_000, workers: 2 },

  async run({ workers: threads, additions, apart }, { signal, quick, print, picture }) {
    const expected = threads * additions
    const cores = coreCount()
    const names = namesOf(apart)
    print(`${howMany(threads, 'thread')} on ${howMany(cores, 'core')}, each makes ${count(additions)} additions …`)

    await using pool = new Piscina<Counting, Span>({
      filename: new URL('../src/race/counting.worker.ts', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
    })
    // Aborted by a signal of its own, a task would have piscina start a new thread after the pool is closed.
    await using _ended = { [Symbol.asyncDispose]: () => pool.destroy() }
    const stopped = aborted(signal)
    // Runs one increment on several threads, in fresh memory, and times it from the first addition to the last.
    async function run(increment: Increment, threads: number, additions: number) {
      const stride = Number(apart) / Int32Array.BYTES_PER_ELEMENT
      const task = { increment: String(increment), memory: memoryFor(threads), stride, threads, additions }
      const running = Array.from({ length: threads }, (_, thread) => pool.run({ ...task, thread }))
      const spans = await Promise.race([Promise.all(running), stopped])
      const ms = Math.max(...spans.map(({ to }) => to)) - Math.min(...spans.map(({ from }) => from))
      return { counted: total(task.memory), ms }
    }

    const { counted } = await run(inStep, threads, 1)
    print(
      '',
      `In slow motion: ${threads} threads read 0, ${threads} threads write 1. The counter says ${counted}; ${threads - counted} lost.`,
    )

    // At full speed, all ways in turn.
    const losses: { way: string; lost: number }[] = []
    const runs: Record<string, () => Promise<number>> = {}
    for (const way of ways) {
      runs[way] = async () => {
        const workers = way === 'alone' ? 1 : threads
        const { counted, ms } = await run(increments[way], workers, expected / workers)
        losses.push({ way, lost: expected - counted })
        return ms
      }
    }
    const rounds = quick ? 5 : 9
    using bar = progress(`${threads} threads are counting`, ways.length * (rounds + 1))
    const timings = await interleave(runs, { rounds, signal, onProgress: (done) => bar.update(done) })

    const [alone, ...rows] = ways.map((way) => {
      const lost = losses.filter((loss) => loss.way === way).map((loss) => loss.lost)
      const ms = timings[way]?.ms ?? Number.NaN
      return { way, lost, mostLost: Math.max(...lost), ms, nsPerAddition: (ms * 1e6) / expected }
    })
    if (!alone) throw new Error('nothing was measured')
    const wrong = rows.find(({ way, mostLost }) => way !== 'unprotected' && mostLost !== 0)
    if (wrong) throw new Error(`${names[wrong.way]} lost ${wrong.mostLost} of ${expected} additions`)

    // False sharing: how many times as long counters on one cache line take, in each round and in the middle.
    const { adjacent, padded } = timings
    const falseSharing = median((adjacent?.samplesMs ?? []).map((ms, round) => ms / (padded?.samplesMs[round] ?? 0)))

    // The best plain program on one thread is the one that just adds. Only correct ways can beat it.
    const correct = rows.filter(({ way }) => way !== 'unprotected')
    const cost = costOf(
      alone.ms,
      correct.map(({ ms }) => ({ workers: threads, ms })),
    )

    const svg = barPlot({
      title: `${howMany(threads, 'thread')} add to a counter: the price of one addition`,
      subtitle: `${count(expected)} additions, median of ${rounds} rounds on ${howMany(cores, 'core')}; red loses updates`,
      x: { label: 'nanoseconds per addition, wall-clock time by all additions' },
      bars: [alone, ...rows].map(({ way, nsPerAddition: value }) => ({
        name: names[way],
        value,
        label: value.toFixed(2),
        color: { alone: palette[5], unprotected: palette[4] }[way as string] ?? palette[0],
      })),
    })
    const result = {
      threads,
      cores,
      additions,
      expected,
      rounds: rounds + 1,
      inStep: { expected: threads, counted },
      alone,
      rows,
      apartBytes: Number(apart),
      falseSharing,
      ...cost,
      picture: await picture('race.svg', svg),
    }
    print(
      '',
      table(
        ['', 'threads', 'time', 'ns per addition', `updates lost in ${rounds + 1} rounds`],
        [alone, ...rows].map(({ way, ms, nsPerAddition, mostLost, lost }) => [
          names[way],
          way === 'alone' ? 1 : threads,
          milliseconds(ms),
          nsPerAddition.toFixed(2),
          mostLost === 0
            ? green('none')
            : red(`${count(Math.min(...lost))} to ${count(mostLost)} of ${count(expected)}`),
        ]),
      ),
      '',
      `Side by side, an addition takes ${times(falseSharing)} as long as ${apart} bytes apart.`,
      describeCost(cost, 'threads'),
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ expected, rows, cost }) => {
    const lost = rows.find(({ way }) => way === 'unprotected')?.mostLost ?? 0
    return `up to ${count(lost)} of ${count(expected)} additions lost without protection, none with it; COST ${cost}`
  },
})

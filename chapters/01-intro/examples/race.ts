/**
 * race: threads add to one counter in shared memory; unprotected, updates are lost, and being right has its price
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 01-intro start race
 *     pnpm --filter 01-intro start race --workers 4 --additions 1000000
 *
 * First the race in slow motion: every thread reads the counter, then every thread writes what it read plus one. Then at
 * full speed, in five ways: without protection, with Atomics.add, with a mutex, and with one counter per thread summed at
 * the end, the counters side by side and on cache lines of their own.
 *
 * Look for: how many updates are lost without protection, a different number each time; that the others lose none; and
 * that the fastest right way is not to share at all: not the counter, and not even its cache line.
 */
import { availableParallelism } from 'node:os'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, green, milliseconds, red, table } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { type Counting, memoryFor, type Span, total, type Way, ways } from '../src/race/counting.ts'
import { drawCounting, names } from '../src/race/counting-picture.ts'

export default example(import.meta, {
  options: {
    workers: wholeNumber(2, 64)
      .default(Math.min(64, Math.max(2, availableParallelism())))
      .describe('threads that add'),
    additions: wholeNumber(1, 100_000_000).default(20_000_000).describe('additions by each thread'),
  },
  quick: { additions: 5_000_000, workers: 2 },

  async run({ workers: threads, additions }, { signal, quick, print, picture }) {
    const expected = threads * additions
    print(`${threads} threads on ${availableParallelism()} cores, each adds 1 ${count(additions)} times …`)
    await using pool = new Piscina<{ counting: Counting; thread: number }, Span>({
      filename: new URL('../src/race/counting.worker.ts', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
    })

    /** Counts once, in fresh memory; the time is from the first thread's first addition to the last one's last. */
    async function run(way: Counting['way'], threads: number, additions: number) {
      const counting = { way, threads, additions, memory: memoryFor(threads) }
      const each = Array.from({ length: threads }, (_, thread) => pool.run({ counting, thread }, { signal }))
      const spans = await Promise.all(each)
      const begin = Math.min(...spans.map(({ from }) => from))
      const end = Math.max(...spans.map(({ to }) => to))
      return { counted: total(counting.memory), ms: end - begin }
    }

    const inStep = await run('in step', threads, 1)
    print(
      '',
      `In slow motion: ${threads} threads read 0, ${threads} threads write 1. The counter says ${inStep.counted}; ${threads - inStep.counted} lost.`,
    )

    const counted = new Map<Way, number[]>(ways.map((way) => [way, []]))
    const rounds = quick ? 5 : 9
    using bar = progress(`${threads} threads are counting`, (ways.length + 1) * (rounds + 1))
    const timings = await interleave(
      {
        alone: async () => (await run('unprotected', 1, expected)).ms,
        ...Object.fromEntries(
          ways.map((way) => [
            way,
            async () => {
              const result = await run(way, threads, additions)
              counted.get(way)?.push(result.counted)
              return result.ms
            },
          ]),
        ),
      } as Record<Way | 'alone', () => Promise<number>>,
      { rounds, signal, onProgress: (done) => bar.update(done) },
    )

    const rows = ways.map((way) => {
      const results = counted.get(way) ?? []
      const { ms } = timings[way]
      const lost = results.map((result) => expected - result)
      return { way, lost, mostLost: Math.max(...lost), ms, nsPerAddition: (ms * 1e6) / expected }
    })
    const wrong = rows.find(({ way, mostLost }) => way !== 'unprotected' && mostLost !== 0)
    if (wrong) throw new Error(`${names[wrong.way]} lost ${wrong.mostLost} of ${expected} additions`)

    const aloneNs = (timings.alone.ms * 1e6) / expected
    const cores = availableParallelism()
    const svg = drawCounting(
      rows,
      aloneNs,
      `${threads} threads add to a counter: the price of one addition`,
      `${count(expected)} additions, median of ${rounds} rounds on ${cores} cores; red loses updates`,
    )
    const result = {
      threads,
      cores,
      additions,
      expected,
      rounds: rounds + 1,
      inStep: { expected: threads, counted: inStep.counted },
      alone: { ms: timings.alone.ms, nsPerAddition: aloneNs },
      rows,
      picture: await picture('race.svg', svg),
    }
    const loss = ({ mostLost, lost }: (typeof rows)[number]) =>
      mostLost === 0 ? green('none') : red(`${count(Math.min(...lost))} to ${count(mostLost)} of ${count(expected)}`)
    print(
      '',
      table(
        ['', 'threads', 'time', 'ns per addition', `updates lost in ${rounds + 1} rounds`],
        [
          ['one thread alone', 1, milliseconds(timings.alone.ms), aloneNs.toFixed(2), green('none')],
          ...rows.map((row) => [
            names[row.way],
            threads,
            milliseconds(row.ms),
            row.nsPerAddition.toFixed(2),
            loss(row),
          ]),
        ],
      ),
      '',
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ expected, rows }) => {
    const lost = rows.find(({ way }) => way === 'unprotected')?.mostLost ?? 0
    return `up to ${count(lost)} of ${count(expected)} additions lost without protection, none with it`
  },
})

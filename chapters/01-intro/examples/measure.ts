/**
 * measure: one job with a known serial part on 1, 2, … worker threads, and what the laws of speedup make of it
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 01-intro start measure
 *     pnpm --filter 01-intro start measure --serial-fraction 0.3
 *     pnpm --filter 01-intro start measure --workers 4 --pages 2000
 *
 * The job finds, on every page of the State of the Union addresses, the longest passage that stands there twice. A share
 * of the pages, the serial part, is done by one thread while the others wait; then all threads divide the rest. It runs on
 * up to twice as many threads as --workers, so that you see what happens past the cores.
 *
 * Look for: how close the fitted serial fraction comes to the true one; what Karp–Flatt says past the cores, where no
 * more processors are to be had; and how the measured points keep below the machine's ceiling.
 */
import { availableParallelism } from 'node:os'
import { divide, type Range } from '@repo/common/async/ranges'
import { example } from '@repo/common/example/example'
import { number, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, startSpinners } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { Piscina } from 'piscina'
import { uslPeak } from '../src/laws/laws.ts'
import { longestRepeat, pagesOf } from '../src/measure/pages.ts'
import { drawScaling, fitScaling, inWords, percentage, scalingOf, threadCounts } from '../src/measure/scaling.ts'

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker threads; up to twice as many are measured'),
    serialFraction: number(0, 1).default(0.1).describe('the share of the pages that one thread does alone'),
    pages: wholeNumber(20, 10_000).default(600).describe('pages of 1,024 characters'),
  },
  quick: { pages: 160 },

  async run({ workers, serialFraction, pages: pageCount }, { signal, quick, print, picture }) {
    const threads = threadCounts(workers)
    const most = threads.at(-1) ?? 1
    const serialPages = Math.round(serialFraction * pageCount)
    const trueFraction = serialPages / pageCount
    print(`${count(pageCount)} pages, ${count(serialPages)} of them by one thread alone, on 1 to ${most} threads …`)

    const texts = stateOfTheUnion().map(({ text }) => text)
    const pages = pagesOf(texts, pageCount)
    await using pool = new Piscina<Range, void>({
      filename: new URL('../src/measure/pages.worker.ts', import.meta.url).href,
      workerData: pages,
      minThreads: most,
      maxThreads: most,
    })
    async function runOn(workers: number) {
      // On one thread it is one loop over all pages: the best serial version.
      if (workers === 1) return await pool.run({ from: 0, to: pageCount }, { signal })
      await pool.run({ from: 0, to: serialPages }, { signal })
      const parts = divide({ from: serialPages, to: pageCount }, workers)
      await Promise.all(parts.map((part) => pool.run(part, { signal })))
    }

    const rounds = quick ? 7 : 13
    await using spinners = await startSpinners(most)
    // Until all threads are there and their code is compiled.
    await runOn(most)
    const begin = performance.now()
    await runOn(1)
    const spin = await spinners.calibrate(Math.min(1_000, performance.now() - begin))
    const ways: Record<string, () => unknown> = {}
    for (const p of threads) {
      ways[`job on ${p}`] = () => runOn(p)
      // Independent work of the same length, divided by the same number.
      ways[`ceiling of ${p}`] = () => spinners.run(p, Math.ceil(spin / p))
    }
    const label = `measuring on 1 to ${most} threads in turn`
    using bar = progress(label, Object.keys(ways).length * (rounds + 1))
    const timings = await interleave(ways, { rounds, signal, onProgress: (done) => bar.update(done) })

    const msOf = (way: string) => timings[way]?.ms ?? Number.NaN
    const rows = scalingOf(
      threads.map((p) => ({ workers: p, ms: msOf(`job on ${p}`), ceilingMs: msOf(`ceiling of ${p}`) })),
    )
    const fits = fitScaling(rows)
    const { serialFraction: fitted, serialFractionOnThreads: misled, usl: law } = fits
    const cores = availableParallelism()

    const svg = drawScaling(
      { trueFraction, rows, fits },
      `${count(pageCount)} pages of text on ${cores} cores, median of ${rounds} rounds`,
    )
    const busy = rows.some(({ workers: p, ceiling }) => ceiling < 0.75 * Math.min(p, cores))
    const { page, passage } = longestRepeat(pages)
    const result = {
      cores,
      workers,
      pages: pageCount,
      rounds,
      serialFraction: trueFraction,
      rows,
      fits: {
        amdahl: fitted === undefined ? null : { serialFraction: fitted, error: fitted - trueFraction },
        amdahlOnThreads: { serialFraction: misled, error: misled - trueFraction },
        usl: { ...law, peak: Number.isFinite(uslPeak(law)) ? uslPeak(law) : null },
      },
      page,
      passage,
      picture: await picture('measure.svg', svg),
    }
    print(
      '',
      table(
        ['threads', 'time', 'speedup', 'per thread', 'ceiling', 'efficiency', 'Karp–Flatt'],
        rows.map((row) => [
          row.workers,
          milliseconds(row.ms),
          times(row.speedup),
          percent(row.perThread),
          times(row.ceiling),
          percent(row.efficiency),
          row.karpFlatt === null ? '' : percentage(row.karpFlatt),
        ]),
      ),
      '',
      ...inWords(fits, trueFraction),
      '',
      ...(busy ? ['The machine was busy: its ceiling is far below its cores. Try again when it is not.', ''] : []),
      `Twice on page ${count(page + 1)}: “${passage}”`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ serialFraction, fits }) =>
    `serial fraction ${percentage(serialFraction)}, fitted ${fits.amdahl ? percentage(fits.amdahl.serialFraction) : 'not at all: one core'}`,
})

/**
 * measure: one job with a known serial part on 1, 2, … worker threads, and what the laws of speedup make of it
 *
 *     pnpm --filter 01-intro start measure
 *     pnpm --filter 01-intro start measure --serial-fraction 0.3
 *     pnpm --filter 01-intro start measure --workers 4 --pages 2000
 *
 * The job finds the longest passage that occurs twice, on every page of the State of the Union addresses. One thread
 * does a share of the pages, the serial part, while the others wait; then all threads divide the rest. The job runs on
 * up to twice as many threads as --workers, so that you see what happens past the cores.
 *
 * Look for: how close the fitted serial fraction comes to the true one; what Karp–Flatt says past the cores, where
 * there are no more processors; how the measured points stay below the machine's ceiling; and the COST, which compares
 * all of this with the best program on one thread.
 */

import { isDeepStrictEqual } from 'node:util'
import { aborted } from '@repo/common/async/abort'
import { divide, type Range } from '@repo/common/async/ranges'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { number, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, startSpinners } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, times } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { Piscina } from 'piscina'
import { amdahlCost, uslPeak } from '../src/laws/laws.ts'
import { fitAmdahl, fitUsl } from '../src/measure/fits.ts'
import { longestRepeatsByChains } from '../src/measure/hash-chains.ts'
import { longestRepeat, pagesOf } from '../src/measure/pages.ts'
import {
  busyNotice,
  drawScaling,
  inWords,
  onProcessors,
  onThreads,
  percentage,
  scalingOf,
  scalingTable,
  threadCounts,
  wasBusy,
} from '../src/measure/scaling.ts'

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker threads; up to twice as many are measured'),
    serialFraction: number(0, 1).default(0.1).describe('the share of the pages that one thread does alone'),
    pages: wholeNumber(20, 10_000).default(600).describe('number of pages, of 1,024 characters each'),
  },
  quick: { pages: 160 },

  async run({ workers, serialFraction, pages: pageCount }, { signal, quick, print, picture }) {
    const threads = threadCounts(workers)
    const most = threads.at(-1) ?? 1
    const serialPages = Math.round(serialFraction * pageCount)
    const trueFraction = serialPages / pageCount
    print(`${count(pageCount)} pages, ${count(serialPages)} of them by one thread alone, on 1 to ${most} threads …`)

    // The threads share the text and the memory for their results. The best program on one thread has its own.
    const texts = stateOfTheUnion().map(({ text }) => text)
    const pages = pagesOf(texts, pageCount)
    const bestPages = pagesOf(texts, pageCount)
    await using pool = new Piscina<Range, void>({
      filename: new URL('../src/measure/pages.worker.ts', import.meta.url).href,
      workerData: pages,
      minThreads: most,
      maxThreads: most,
    })
    // Aborted by a signal of its own, a task would have piscina start a new thread after the pool is closed.
    await using _ended = { [Symbol.asyncDispose]: () => pool.destroy() }
    const stopped = aborted(signal)
    const run = (range: Range) => Promise.race([pool.run(range), stopped])
    // #region run-on
    async function runOn(workers: number) {
      // On one thread the job is one loop over all pages: the best serial version of this algorithm.
      if (workers === 1) return await run({ from: 0, to: pageCount })
      // The serial part, while the other threads wait; then all threads at once.
      await run({ from: 0, to: serialPages })
      const parts = divide({ from: serialPages, to: pageCount }, workers)
      await Promise.all(parts.map(run))
    }
    // #endregion run-on
    // The first run starts the threads and compiles their code.
    await runOn(most)

    // The machine's ceiling: independent work of the same length, divided by the same number of threads.
    await using spinners = await startSpinners(most)
    const begin = performance.now()
    await runOn(1)
    // On a busy machine a run may take many times as long as its work.
    const spin = await spinners.calibrate(Math.min(quick ? 200 : 1_000, performance.now() - begin))
    // And the best program on one thread: the same results by a better algorithm.
    // #region ways
    const ways: Record<string, () => unknown> = {
      best: () => longestRepeatsByChains(bestPages, { from: 0, to: pageCount }),
    }
    for (const p of threads) {
      ways[`job on ${p}`] = () => runOn(p)
      ways[`ceiling of ${p}`] = () => spinners.run(p, Math.ceil(spin / p))
    }
    // #endregion ways
    const rounds = quick ? 7 : 13
    const label = `measuring on 1 to ${most} threads in turn`
    using bar = progress(label, Object.keys(ways).length * (rounds + 1))
    const timings = await interleave(ways, { rounds, signal, onProgress: (done) => bar.update(done) })
    const msOf = (way: string) => timings[way]?.ms ?? Number.NaN
    const rows = scalingOf(
      threads.map((p) => ({ workers: p, ms: msOf(`job on ${p}`), ceilingMs: msOf(`ceiling of ${p}`) })),
    )

    if (!isDeepStrictEqual(bestPages, pages)) throw new Error('the two algorithms found different passages')
    // COST: how many threads beat it, of those measured; and how many would, if a core for each were there.
    const cost = costOf(msOf('best'), rows)
    const lead = (rows[0]?.ms ?? Number.NaN) / cost.bestSerialMs
    const costByAmdahl = amdahlCost(1 - trueFraction, lead)

    // Amdahl's law has processors in it, not threads. The ceiling says how many there really were.
    const processors = onProcessors(rows)
    const fitted = processors.length > 0 ? fitAmdahl(processors) : undefined
    // With every thread taken for a processor, missing cores look like serial work.
    const misled = fitAmdahl(onThreads(rows))
    const law = fitUsl(onThreads(rows))
    const fits = { serialFraction: fitted, serialFractionOnThreads: misled, usl: law }

    const cores = coreCount()
    const svg = drawScaling(
      { trueFraction, rows, fits },
      `${count(pageCount)} pages of text on ${howMany(cores, 'core')}, median of ${rounds} rounds`,
    )
    const busy = wasBusy(rows, cores)
    const { page, passage } = longestRepeat(pages)
    const result = {
      cores,
      workers,
      pages: pageCount,
      rounds,
      serialFraction: trueFraction,
      busy,
      rows,
      fits: {
        amdahl: fitted === undefined ? null : { serialFraction: fitted, error: fitted - trueFraction },
        amdahlOnThreads: { serialFraction: misled, error: misled - trueFraction },
        usl: { ...law, peak: Number.isFinite(uslPeak(law)) ? uslPeak(law) : null },
      },
      ...cost,
      costByAmdahl: Number.isFinite(costByAmdahl) ? costByAmdahl : null,
      page,
      passage,
      picture: await picture('measure.svg', svg),
    }
    print(
      '',
      scalingTable(rows),
      '',
      ...inWords(fits, trueFraction),
      '',
      describeCost(cost, 'threads'),
      `That program is ${times(lead)} as fast as this job on one thread. By Amdahl's law, not measured: ${
        Number.isFinite(costByAmdahl) ? `${howMany(costByAmdahl, 'thread')} on as many cores` : 'no number of threads'
      } would beat it.`,
      '',
      ...(busy ? [busyNotice, ''] : []),
      `Twice on page ${count(page + 1)}: “${passage}”`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ serialFraction, fits, cost, busy }) =>
    `serial fraction ${percentage(serialFraction)}, fitted ${fits.amdahl ? percentage(fits.amdahl.serialFraction) : 'not at all: one core'}; COST ${cost}${busy ? '; the machine was busy: do not believe it' : ''}`,
})

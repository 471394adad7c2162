/**
 * amdahl: how much faster can more workers make it? Amdahl's and Gustafson's laws for any parallel fraction
 *
 *     pnpm --filter 01-intro start amdahl
 *     pnpm --filter 01-intro start amdahl --fraction 0.99 --workers 10,100,1000
 *     pnpm --filter 01-intro start amdahl --fraction 0.5
 *
 * Amdahl keeps the work the same: the serial part stays and sets a limit. Gustafson lets the work grow with the
 * workers: the parallel part grows, the serial part does not, and there is no limit. In the JSON document `limit` is
 * null if the fraction is 1, because then Amdahl has no limit either.
 *
 * Look for: ten times the workers, 1000 instead of 100, do not even double the speedup.
 */
import { example } from '@repo/common/example/example'
import { listOf, number, wholeNumber } from '@repo/common/example/options'
import { linePlot } from '@repo/common/output/plots'
import { count, table } from '@repo/common/output/terminal'
import { amdahl, amdahlLimit, gustafson } from '../src/laws/laws.ts'

const mostWorkers = 1_000_000
const accepts = `up to 100 different whole numbers from 1 to ${mostWorkers}, the smallest first: 10,100,1000`

export default example(import.meta, {
  options: {
    fraction: number(0, 1).default(0.99).describe('the part of the work that can be divided'),
    workers: listOf(wholeNumber(1, mostWorkers), accepts, { max: 100, ascending: true })
      .default([1, 2, 4, 10, 100, 1000])
      .describe('numbers of workers'),
  },

  async run({ fraction, workers }, { print, picture }) {
    // Both laws for each number of workers. Efficiency is the share of the workers' time that is spent on work.
    const rows = workers.map((p) => {
      const speedup = amdahl(fraction, p)
      return { workers: p, amdahl: speedup, gustafson: gustafson(fraction, p), efficiency: speedup / p }
    })
    // 1 − 0.99 is not exact in binary: rounding to 12 digits makes a limit of 100 read 100.
    const limit = Number(amdahlLimit(fraction).toPrecision(12))

    const most = Math.max(10, ...workers)
    const steps = Array.from({ length: 201 }, (_, step) => most ** (step / 200))
    const curve = (law: (processors: number) => number) => steps.map((x) => ({ x, y: law(x) }))
    const flat = [1, most].map((x) => ({ x, y: limit }))
    const svg = linePlot({
      title: `Speedup when ${percentage(fraction)} of the work can be divided`,
      subtitle: 'computed from the formulas; both axes are logarithmic',
      x: { label: 'workers', type: 'log', domain: [1, most], ticks: 5, tickFormat: (value) => count(Number(value)) },
      y: { label: 'speedup', type: 'log', domain: [1, most], ticks: 5, tickFormat: (value) => count(Number(value)) },
      series: [
        { name: 'Gustafson: the work grows', points: curve((p) => gustafson(fraction, p)) },
        { name: 'Amdahl: the work stays', points: curve((p) => amdahl(fraction, p)) },
        { name: 'in the table', points: rows.map((row) => ({ x: row.workers, y: row.amdahl })), style: 'dots' },
        ...(limit > most ? [] : [{ name: `Amdahl's limit, ${round(limit)}`, points: flat, style: 'dashed' as const }]),
      ],
    })
    const result = {
      fraction,
      rows,
      limit: Number.isFinite(limit) ? limit : null,
      picture: await picture('amdahl.svg', svg),
    }
    print(
      table(
        ['workers', 'Amdahl', 'efficiency', 'of 100 s remain', 'Gustafson'],
        rows.map((row) => [
          count(row.workers),
          times(row.amdahl),
          percentage(row.efficiency),
          `${(100 / row.amdahl).toFixed(1)} s`,
          times(row.gustafson),
        ]),
      ),
      '',
      result.limit === null
        ? 'Without a serial part there is no limit.'
        : `However many workers: Amdahl's speedup never passes ${round(limit)}×, the limit.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ fraction, rows, limit }) => {
    const last = rows.at(-1)
    return `${percentage(fraction)} parallel: ${round(last?.amdahl ?? 1)}× on ${count(last?.workers ?? 1)} workers, limit ${limit === null ? 'none' : round(limit)}`
  },
})

/** One digit after the point: 9.2×, 91.0×. */
function times(speedup: number): string {
  return `${speedup.toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })}×`
}

/** At most one digit after the point, thousands separated: 91.7, 100, 9,901. */
function round(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 })
}

function percentage(share: number): string {
  return `${round(100 * share)} %`
}

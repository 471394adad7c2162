/** The times of the `fib` example as a picture. */
import { linePlot } from '@repo/common/output/plots'
import type { PythonTimes } from './ways.ts'

/** How long k computations at once took in each way. */
export interface FibRow {
  k: number
  ms: Record<string, number>
}

/** Python's time for k computations as a multiple of its time for one. */
export function pythonOf(python: PythonTimes, k: number, kind: 'threadsMs' | 'processesMs'): number {
  const row = python.results.find((result) => result.k === k)
  return row ? row[kind] / row.oneMs : Number.NaN
}

/** The times over the number of computations, as multiples of the time of one on the main thread. Returns SVG text. */
export function drawFib(
  names: readonly string[],
  rows: readonly FibRow[],
  python: PythonTimes | undefined,
  cores: number,
): string {
  const counts = rows.map(({ k }) => k)
  const one = rows[0]?.ms['main thread'] ?? Number.NaN
  const series = [
    ...names.map((name) => ({ name, points: rows.map(({ k, ms }) => ({ x: k, y: (ms[name] ?? 0) / one })) })),
    ...(python ? (['threadsMs', 'processesMs'] as const) : []).map((kind) => ({
      name: kind === 'threadsMs' ? 'Python threads' : 'Python processes',
      style: 'dashed' as const,
      points: counts.map((k) => ({ x: k, y: python ? pythonOf(python, k, kind) : Number.NaN })),
    })),
  ]
  return linePlot({
    title: 'The same computation k times at once',
    subtitle: `time as a multiple of one computation; ${cores} cores`,
    width: 900,
    x: { label: 'computations', ticks: counts, tickFormat: 'd' },
    y: { label: 'time / time of one', domain: [0, Math.max(...series.flatMap((s) => s.points.map(({ y }) => y)))] },
    series,
  })
}

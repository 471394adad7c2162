/** The times of the `oversubscribe` example as a picture. */
import { linePlot } from '@repo/common/output/plots'

export interface WorkersRow {
  workers: number
  computeMs: number
  waitMs: number
  /** Memory for each thread. */
  threadBytes: number
}

/** For each row how much faster it is than the first one. */
export function gains(rows: readonly WorkersRow[], of: 'computeMs' | 'waitMs'): number[] {
  return rows.map((row) => (rows[0]?.[of] ?? Number.NaN) / row[of])
}

/** The gain over the number of workers, of computing and of waiting. Returns SVG text. */
export function drawWorkers(rows: readonly WorkersRow[], title: string, subtitle: string): string {
  const sizes = rows.map(({ workers }) => workers)
  const over = (values: readonly number[]) => values.map((y, at) => ({ x: sizes[at] ?? 0, y }))
  return linePlot({
    title,
    subtitle,
    x: { label: 'worker threads', type: 'log', ticks: sizes, tickFormat: String },
    y: { label: 'speedup', type: 'log', ticks: sizes, tickFormat: String },
    series: [
      { name: 'waiting', points: over(gains(rows, 'waitMs')) },
      { name: 'computing', points: over(gains(rows, 'computeMs')) },
      { name: 'as many times as workers', style: 'dashed', points: over(sizes) },
    ],
  })
}

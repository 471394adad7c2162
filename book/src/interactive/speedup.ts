/** What the explorer of the laws shows: chapter 1's own formulas, and a measurement that a reader has pasted. */
import { amdahl, amdahlLimit, gustafson, type Usl, usl, uslPeak } from '01-intro/laws/laws'

/** The parameters of all three laws. */
export interface Parameters extends Usl {
  /** The fraction of the work that can be divided, 0 to 1. */
  parallel: number
}

export const lawNames = ['ideal', 'Amdahl', 'Gustafson', 'USL'] as const
export type LawName = (typeof lawNames)[number]

/** Returns the speedup of each law on a number of processors. */
export const speedups = (parameters: Parameters, processors: number): Record<LawName, number> => ({
  ideal: processors,
  Amdahl: amdahl(parameters.parallel, processors),
  Gustafson: gustafson(parameters.parallel, processors),
  USL: usl(parameters, processors),
})

/** Returns what each law says about more and more processors. */
export function limits(parameters: Parameters): Record<LawName, string> {
  const limit = amdahlLimit(parameters.parallel)
  const peak = uslPeak(parameters)
  return {
    ideal: 'none',
    Amdahl: Number.isFinite(limit) ? `never above ${times(limit)}` : 'none',
    Gustafson: parameters.parallel > 0 ? 'none' : 'never above 1.00×',
    USL: Number.isFinite(peak)
      ? `highest on ${peak < 10 ? peak.toFixed(1) : peak.toFixed(0)}: ${times(usl(parameters, peak))}`
      : parameters.contention > 0
        ? `never above ${times(1 / parameters.contention)}`
        : 'none',
  }
}

/** Returns points of a law from 1 to `most` processors, evenly spaced on a logarithmic axis. */
export const curve = (law: LawName, parameters: Parameters, most: number): { x: number; y: number }[] =>
  Array.from({ length: 101 }, (_, step) => most ** (step / 100)).map((x) => ({ x, y: speedups(parameters, x)[law] }))

export interface Measured {
  cores: number
  /** Whether the machine was busy, so that the figures say little. */
  busy: boolean
  rows: { workers: number; speedup: number; ceiling: number }[]
  /** What chapter 1 has fitted to the rows. */
  fitted: Parameters
}

/**
 * Returns the measurement in the output of `measure --json`. Lines that pnpm prints before it are ignored.
 *
 * @throws an Error that says what is wrong
 */
export function readMeasured(output: string): Measured {
  const accepted = 'paste what `pnpm --filter 01-intro start measure --json` prints'
  let found: unknown
  try {
    found = JSON.parse(output.slice(Math.max(0, output.indexOf('{'))))
  } catch {
    throw new Error(`"${excerpt(output)}" is not JSON: ${accepted}`)
  }
  const { cores, busy, rows, fits } = Object(found) as Partial<MeasureResult>
  const isRow = (row: unknown): row is Measured['rows'][number] => {
    const { workers, speedup, ceiling } = Object(row) as Record<string, unknown>
    return [workers, speedup, ceiling].every((value) => typeof value === 'number' && value > 0)
  }
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRow))
    throw new Error(`"${excerpt(output)}" has no measured rows: ${accepted}`)
  // On one core there is no fit on processors.
  const serial = (fits?.amdahl ?? fits?.amdahlOnThreads)?.serialFraction
  const { contention, coherency } = Object(fits?.usl) as Partial<Usl>
  if (typeof serial !== 'number' || contention === undefined || coherency === undefined)
    throw new Error(`"${excerpt(output)}" has no fits: ${accepted}`)
  return {
    cores: Number(cores),
    busy: busy === true,
    rows: rows.map(({ workers, speedup, ceiling }) => ({ workers, speedup, ceiling })),
    // A run that is faster than the law allows has a negative serial fraction.
    fitted: { parallel: Math.min(1, 1 - serial), contention, coherency },
  }
}

/** The parts of the result that are read here. */
interface MeasureResult {
  cores: number
  busy: boolean
  rows: unknown
  fits: {
    amdahl: { serialFraction: number } | null
    amdahlOnThreads: { serialFraction: number }
    usl: Usl
  }
}

function excerpt(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > 40 ? `${line.slice(0, 40)}…` : line
}

/** A speedup for readers: three digits are enough. */
export const times = (speedup: number): string =>
  `${speedup < 10 ? speedup.toFixed(2) : speedup < 100 ? speedup.toFixed(1) : speedup.toFixed(0)}×`

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`

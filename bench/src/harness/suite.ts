/** What a suite is: contenders that do the same work, what is measured of them, and how it is shown. */
import { z } from 'zod'

const samples = z.record(z.string(), z.array(z.number()))

/** What was measured of a contender. If it failed, only what had been measured before. */
export const rowSchema = z.object({
  id: z.string(),
  /** For readers. */
  label: z.string(),
  version: z.string().optional(),
  /** When its work counts as safe: what is on disk, and on how many machines. */
  durability: z.string().optional(),
  /** Why it has failed or does not take part, in one line. */
  failed: z.string().optional(),
  /** The metrics, one value for each round. */
  samples,
  /** The reference's values in the same rounds. */
  beside: samples,
  /** What was measured or counted once, or depends on nothing: null where that cannot be said. */
  figures: z.record(z.string(), z.union([z.number(), z.string(), z.null()])),
})
export type Row = z.output<typeof rowSchema>

export const newRow = (id: string, label: string): Row => ({ id, label, samples: {}, beside: {}, figures: {} })

/** Returns the rows of those of whom anything was measured. */
export const measured = (rows: readonly Row[]) => rows.filter(({ samples }) => Object.keys(samples).length > 0)

/** A contender that is ready. Disposing of it ends what it has started. */
export type Running<Work> = Work & AsyncDisposable & { version: string }

/** A contender that a suite starts in a place, to give it work. Where it is missing, `start` throws an error that says so. */
export interface ContenderOf<Place, Work> {
  label: string
  start: (place: Place) => Promise<Running<Work>>
}

export interface Metric {
  /** For readers, with the unit. */
  label: string
  /** Whether more of it is faster. */
  better: 'more' | 'less'
}

export interface Table {
  title: string
  head: string[]
  rows: (string | number)[][]
  /** Sentences below it. */
  notes?: string[]
}

export interface SuiteOptions {
  quick: boolean
  signal: AbortSignal
  /** Called with what is going on and how much of it is done, from 0 to 1. */
  onProgress: (what: string, share: number) => void
}

export interface Suite {
  /** By the names of the samples. */
  metrics: Record<string, Metric>
  /** By the ids that may be chosen, in the order of the table. The first is the reference for all ratios. */
  contenders: Readonly<Record<string, { label: string }>>
  /**
   * Measures the contenders of these rows, the reference first. The rows have at each moment what has been measured so far.
   * Throws only when the suite as a whole is impossible, or interrupted.
   */
  measure: (rows: readonly Row[], options: SuiteOptions) => Promise<void>
  tables: (rows: readonly Row[]) => Table[]
  /** SVG texts by name. */
  pictures: (rows: readonly Row[]) => Record<string, string>
}

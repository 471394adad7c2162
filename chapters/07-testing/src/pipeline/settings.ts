/**
 * What a process of the pipeline is told: settings when it starts, as JSON in its first argument, and later its clock.
 */
import { type Bug, type Stage, stages } from './orders.ts'

/** The URL of Redis is in REDIS_URL. */
export interface ProcessSettings {
  name: string
  /** All keys in Redis begin with it. */
  prefix: string
  bug?: Bug | undefined
  /** The URL of a module that exports an `Instrument`. */
  instruments?: string | undefined
  clockOffsetMs: number
  /** For the front; 0 takes a free one. */
  port: number
  /** For a worker: the number of concurrent jobs, and how long it keeps a job without a heartbeat. */
  concurrency: number
  lockMs: number
  /** For a worker: how long the simulated bank or packers take, in ms. */
  slowMs: readonly [least: number, most: number]
}

/** Reads the first argument. */
export const settingsOf = (argument: string | undefined) => JSON.parse(argument ?? '{}') as ProcessSettings

/** Returns the names of the worker processes: `payment 1`, `payment 2`, `shipping 1` … */
export const workerNames = (workers: Record<Stage, number>): string[] =>
  stages.flatMap((stage) => Array.from({ length: workers[stage] }, (_, at) => `${stage} ${at + 1}`))

/** A message to a process of the pipeline: from now on its clock is wrong by this offset. */
export interface SetClock {
  clockOffsetMs: number
}

/**
 * Returns the wall clock of this process, in ms. Messages from its owner set it wrong; the machine's own clock is left
 * alone.
 *
 * @param offsetMs at first
 */
export function skewedClock(offsetMs = 0): () => number {
  let offset = offsetMs
  process.on('message', (message: Partial<SetClock>) => {
    offset = message.clockOffsetMs ?? offset
  })
  return () => Date.now() + offset
}

/** What a process of the pipeline is told when it starts, as JSON in its first argument. The URL of Redis is in REDIS_URL. */
import { type Bug, type Stage, stages } from './orders.ts'

export interface ProcessSettings {
  name: string
  /** Of all keys in Redis. */
  prefix: string
  bug?: Bug | undefined
  /** URL of a module that exports an `Instrument`. */
  instruments?: string | undefined
  clockOffsetMs: number
  /** Of the front; 0 takes a free one. */
  port: number
  /** Of a worker: jobs at a time; how long it keeps a job without a sign of life. */
  concurrency: number
  lockMs: number
  /** Of a worker: how long, in ms, the bank or the packers take at least and at most; simulated. */
  slowMs: readonly [least: number, most: number]
}

/** Reads the first argument. */
export const settingsOf = (argument: string | undefined) => JSON.parse(argument ?? '{}') as ProcessSettings

/** `payment 1`, `payment 2`, `shipping 1` …: the names of so many worker processes of each kind. */
export const workerNames = (workers: Record<Stage, number>): string[] =>
  stages.flatMap((stage) => Array.from({ length: workers[stage] }, (_, at) => `${stage} ${at + 1}`))

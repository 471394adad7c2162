/** What an engine needs to take part: how to send its jobs, and how to run them. */
import type { Child, ChildOptions } from '@repo/common/process/child'
import type { Reach } from '../brokers/broker.ts'

/** A job. With a ledger it makes the booking of its number there, as in chapter 4's drill; without one it does nothing. */
export interface Job {
  job: number
  /** The prefix of the ledger's keys. */
  ledger?: string | undefined
}

export interface EngineClient {
  /** Resolves when the engine has promised to keep the jobs. It may reject, or take its time, while the broker is away. */
  send: (jobs: readonly Job[]) => Promise<unknown>
  /** How many jobs the engine still has: waiting, and running where it says so. */
  left: () => Promise<number>
  close: () => Promise<unknown>
}

export interface WorkOptions {
  /** Jobs at a time. */
  concurrency: number
  /** After this time without a sign of life a worker loses its jobs, where this can be set. */
  leaseMs: number
}

/** Where a worker gets its jobs, and how many; its process gets it as JSON. */
export interface WorkerSettings extends WorkOptions {
  engine: string
  reach: Reach
  queue: string
}

export interface Adapter {
  /** Creates what has to exist before the first client or worker: also on a machine that replaces a lost one. */
  prepare?: (reach: Reach, queue: string, options: WorkOptions) => Promise<void>
  open: (reach: Reach, queue: string) => Promise<EngineClient>
  /**
   * Takes jobs in a process of its own until `stop`. A worker that loses its broker may come back by itself; or it rejects
   * `lost`, and its process is started again.
   */
  work?: (
    settings: WorkerSettings,
    run: (job: Job) => Promise<void>,
  ) => Promise<{ stop: () => Promise<unknown>; lost?: Promise<never> }>
  /** Starts a worker that is not in TypeScript. It prints the same lines as worker.program.ts. */
  launch?: (settings: WorkerSettings & { ledgerUrl: string }, options: ChildOptions) => Promise<Child>
}

/** The real stores, by name, and clients of them as processes. */
import { type Program, startProgram } from '@repo/common/process/child'
import { etcd } from './etcd.ts'
import type { Answer, Question } from './lease.ts'
import { redis } from './redis.ts'

/** Where a running store is. */
export interface Place {
  store: StoreName
  port: number
  password: string
}

export interface Connection extends AsyncDisposable {
  /**
   * @param lock each has a document of its own
   * @throws an Error if there is no answer
   */
  ask: (lock: string, question: Question) => Promise<Answer>
}

export interface LeaseStore {
  /**
   * Starts a server of our own. Disposing of it stops it and removes its data.
   *
   * @throws an Error of one line that says what installs it, if it is missing
   */
  start: (signal?: AbortSignal) => Promise<{ version: string; place: Place } & AsyncDisposable>
  connect: (place: Place) => Promise<Connection>
}

export type StoreName = 'redis' | 'etcd'
export const stores: Record<StoreName, LeaseStore> = { redis, etcd }
export const storeNames = Object.keys(stores) as StoreName[]

/** Starts a client as a process, which does what messages tell it (client.program.ts). */
export async function startClient(place: Place, signal?: AbortSignal): Promise<Program<undefined>> {
  const env = { PLACE: JSON.stringify(place) }
  return await startProgram(new URL('./client.program.ts', import.meta.url), { env, signal })
}

/** Returns the time in ms by the machine's clock that nobody can set. All processes have the same one. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6

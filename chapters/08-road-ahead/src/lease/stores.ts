/** The real stores, by name, and clients of them as processes. */
import { type Program, startProgram } from '@repo/common/process/child'
import { etcd } from './etcd.ts'
import type { LeaseStore, Place, StoreName } from './lease.ts'
import { redis } from './redis.ts'

export const stores: Record<StoreName, LeaseStore> = { redis, etcd }
export const storeNames = Object.keys(stores) as StoreName[]

/** Starts a client as a process, which does what messages tell it (client.program.ts). */
export async function startClient(place: Place, signal?: AbortSignal): Promise<Program<undefined>> {
  const env = { PLACE: JSON.stringify(place) }
  return await startProgram(new URL('./client.program.ts', import.meta.url), { env, signal })
}

/** Returns the time in ms by the machine's clock that nobody can set. All processes have the same one. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** What becomes of a pool, and of its other tasks, when one task goes wrong. */
import { startProgram } from '@repo/common/process/child'
import type { AnyPool, PoolName } from './pools.ts'
import type { Task } from './tasks.worker.ts'

/** The ways in which a task can go wrong, and the task that does so. */
export const faults = { throws: 'throw', exits: 'exit', hangs: 'hang', 'out of memory': 'exhaust' } as const
export type Fault = keyof typeof faults
export const faultNames = Object.keys(faults) as Fault[]

/** What a user sees of a pool in which one task went wrong. */
export interface FaultReport {
  /** What the task's promise was rejected with, or how long it stayed open, and what it was rejected with at the end. */
  cause: string
  /** Whether the promise was settled before the pool was disposed of. */
  settled: boolean
  /** How many of the tasks handed in together with it were done, and how many there were. */
  others: number
  of: number
  /** Whether the pool then does as many tasks as it has workers. */
  usable: boolean
  /** Whether disposing of the pool comes to an end. */
  closes: boolean
  /** How long no promise of the pool had settled when it was given up: "not settled" and "no" say no more than that. */
  patienceMs: number
}

export interface PoolFault extends FaultReport {
  pool: PoolName
  fault: Fault
}

/**
 * Hands one task that goes wrong to a pool, among good ones; then as many good tasks as it has workers; then disposes
 * of it.
 *
 * @param patienceMs once no promise of the pool has settled for this long, those still open are given up
 */
export async function provoke(
  pool: AnyPool,
  fault: Task,
  { workers, timeoutMs, patienceMs }: { workers: number; timeoutMs?: number | undefined; patienceMs: number },
): Promise<FaultReport> {
  const settled = async (promises: Promise<unknown>[]) => {
    const { promise: never, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`still open after ${patienceMs / 1000} s`)), patienceMs)
    const patient = promises.map((promise) => Promise.race([promise.finally(() => timer.refresh()), never]))
    return await Promise.allSettled(patient).finally(() => clearTimeout(timer))
  }
  const echoes = (count: number) =>
    Array.from({ length: count }, async (_, value) => (await pool.run({ do: 'echo', value })) === value)
  const before = echoes(workers)
  let outcome: string | undefined
  const bad = pool
    .run(fault, { timeoutMs })
    .then(() => 'none: it was fulfilled', describe)
    .then((ended) => {
      outcome = ended
    })
  const after = echoes(4 * workers)
  const [first, ...others] = await settled([bad, ...before, ...after])
  const wasSettled = first?.status === 'fulfilled'
  const next = await settled(echoes(workers))
  const [end] = await settled([Promise.resolve(pool[Symbol.asyncDispose]()).then(() => true)])
  const good = (result?: PromiseSettledResult<unknown>) => result?.status === 'fulfilled' && result.value === true
  const open = first?.status === 'rejected' ? String(first.reason.message) : ''
  const atTheEnd = outcome === undefined ? open : `${open}; at the pool's end: ${outcome}`
  return {
    cause: wasSettled ? String(outcome) : atTheEnd,
    settled: wasSettled,
    others: others.filter(good).length,
    of: others.length,
    usable: next.every(good),
    closes: good(end),
    patienceMs,
  }
}

/** What faults.program.ts is asked to do. */
export interface FaultsRequest {
  name: PoolName
  workers: number
  heapMb: number
  /** The deadline of the task that hangs. */
  timeoutMs: number
}

/** Provokes every fault in one pool, in a process of its own: the process ends even if the pool does not. */
export async function faultsOf(request: FaultsRequest, signal: AbortSignal): Promise<PoolFault[]> {
  const args = [JSON.stringify(request)]
  // The program reports ready only when it is done, and it waits for promises that never settle.
  const options = { args, signal, readyTimeoutMs: 600_000 }
  await using program = await startProgram<PoolFault[]>(new URL('./faults.program.ts', import.meta.url), options)
  return program.info
}

/** An error's name and message in one line. */
export function describe(error: unknown): string {
  return String(error instanceof Error ? `${error.name}: ${error.message}` : error).replaceAll(/\s+/g, ' ')
}

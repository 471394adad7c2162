/** Four pools of worker threads behind one interface: the chapter's own and three packages, all doing the same tasks. */
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'
import { WorkerPool } from './pool.ts'
import type { Task } from './tasks.worker.ts'
import { threads } from './workers.ts'

export interface AnyPool extends AsyncDisposable {
  /** Does one task; with `timeoutMs` by the means that the package offers for a deadline. */
  run: (task: Task, timeoutMs?: number) => Promise<unknown>
}

interface Sizes {
  workers: number
  /** The most memory a worker's heap may take. */
  heapMb: number
}

const tasks = new URL('./tasks.worker.ts', import.meta.url)
const deadline = (timeoutMs?: number) => (timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) })

export const pools = {
  ours({ workers, heapMb }: Sizes): AnyPool {
    const pool = new WorkerPool<Task, unknown>(threads(tasks, { resourceLimits: limits(heapMb) }), workers)
    return {
      run: (task, timeoutMs) => pool.run(task, { timeoutMs }),
      [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
    }
  },

  piscina({ workers, heapMb }: Sizes): AnyPool {
    const pool = new Piscina({ filename: tasks.href, ...fixed(workers), resourceLimits: limits(heapMb) })
    return {
      run: (task, timeoutMs) => pool.run(task, deadline(timeoutMs)),
      [Symbol.asyncDispose]: () => pool.destroy(),
    }
  },

  tinypool({ workers, heapMb }: Sizes): AnyPool {
    const pool = new Tinypool({ filename: tasks.href, ...fixed(workers), resourceLimits: limits(heapMb) })
    return {
      run: (task, timeoutMs) => pool.run(task, deadline(timeoutMs)),
      [Symbol.asyncDispose]: () => pool.destroy(),
    }
  },

  workerpool({ workers, heapMb }: Sizes): AnyPool {
    const pool = workerpool.pool(fileURLToPath(new URL('./workerpool.worker.ts', import.meta.url)), {
      workerType: 'thread',
      minWorkers: workers,
      maxWorkers: workers,
      workerThreadOpts: { resourceLimits: limits(heapMb) },
    })
    return {
      async run(task, timeoutMs) {
        const promise = pool.exec('work', [task])
        return await (timeoutMs === undefined ? promise : promise.timeout(timeoutMs))
      },
      async [Symbol.asyncDispose]() {
        await pool.terminate(true)
      },
    }
  },
}

export type PoolName = keyof typeof pools
export const poolNames = Object.keys(pools) as PoolName[]

const limits = (heapMb: number) => ({ maxOldGenerationSizeMb: heapMb })
const fixed = (workers: number) => ({ minThreads: workers, maxThreads: workers })

/** What a task can do wrong. */
export const faults = { throws: 'throw', exits: 'exit', hangs: 'hang', 'out of memory': 'exhaust' } as const
export type Fault = keyof typeof faults
export const faultNames = Object.keys(faults) as Fault[]

export interface PoolFault extends FaultReport {
  pool: PoolName
  fault: Fault
}

/** What a reader can see of a pool when one of its tasks goes wrong. */
export interface FaultReport {
  /** What the task's promise was rejected with, or that it was never settled. */
  cause: string
  /** How many of the other tasks that were handed in together with it were done, and of how many. */
  others: number
  of: number
  /** Whether the pool does as many tasks as it has workers afterwards. */
  usable: boolean
  /** Whether the pool's end came to an end. */
  closes: boolean
}

/**
 * Hands a pool one task that goes wrong among others, then as many good ones as it has workers, and closes it.
 *
 * @param patienceMs when none of the pool's promises has been settled for so long, the others count as never settled
 */
export async function provoke(
  pool: AnyPool,
  fault: Task,
  { workers, timeoutMs, patienceMs }: { workers: number; timeoutMs?: number | undefined; patienceMs: number },
): Promise<FaultReport> {
  const settled = async (promises: Promise<unknown>[]) => {
    const { promise: never, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`not settled within ${patienceMs / 1000} s`)), patienceMs)
    const patient = promises.map((promise) => Promise.race([promise.finally(() => timer.refresh()), never]))
    return await Promise.allSettled(patient).finally(() => clearTimeout(timer))
  }
  const echoes = (count: number) =>
    Array.from({ length: count }, async (_, value) => (await pool.run({ do: 'echo', value })) === value)
  const before = echoes(workers)
  const bad = pool.run(fault, timeoutMs).then(
    () => 'none: it was fulfilled',
    (error) => String(error instanceof Error ? `${error.name}: ${error.message}` : error).replaceAll(/\s+/g, ' '),
  )
  const after = echoes(4 * workers)
  const [cause, ...others] = await settled([bad, ...before, ...after])
  const next = await settled(echoes(workers))
  const [end] = await settled([Promise.resolve(pool[Symbol.asyncDispose]()).then(() => true)])
  const good = (result?: PromiseSettledResult<unknown>) => result?.status === 'fulfilled' && result.value === true
  return {
    cause: cause?.status === 'fulfilled' ? String(cause.value) : String(cause?.reason.message),
    others: others.filter(good).length,
    of: others.length,
    usable: next.every(good),
    closes: good(end),
  }
}

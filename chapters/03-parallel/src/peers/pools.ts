/** Four pools of threads behind one interface: the chapter's own and three packages, all doing the same tasks. */
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'
import { WorkerPool } from '../pool/pool.ts'
import { threads } from '../pool/workers.ts'
import type { Task } from './tasks.worker.ts'

export interface AnyPool extends AsyncDisposable {
  /** Does one task; sets the deadline by whatever means the package offers. */
  run: (task: Task, options?: { timeoutMs?: number | undefined }) => Promise<unknown>
}

interface Sizes {
  workers: number
  /** The limit of each worker's heap. */
  heapMb: number
}

/** The module whose default export does the tasks. */
export const tasksModule = new URL('./tasks.worker.ts', import.meta.url)

export const pools = {
  ours({ workers, heapMb }: Sizes): AnyPool {
    return new WorkerPool<Task, unknown>(threads(tasksModule, { heapMb }), workers)
  },

  piscina({ workers, heapMb }: Sizes): AnyPool {
    const pool = new Piscina({ filename: tasksModule.href, ...fixed(workers), resourceLimits: limits(heapMb) })
    return {
      run: (task, options) => pool.run(task, deadline(options?.timeoutMs)),
      [Symbol.asyncDispose]: () => pool.destroy(),
    }
  },

  tinypool({ workers, heapMb }: Sizes): AnyPool {
    const pool = new Tinypool({ filename: tasksModule.href, ...fixed(workers), resourceLimits: limits(heapMb) })
    return {
      run: (task, options) => pool.run(task, deadline(options?.timeoutMs)),
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
      async run(task, { timeoutMs } = {}) {
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

/**
 * Does empty tasks, first `calls` of them one after the other, then `tasks` at once.
 *
 * @param latencies gets the time of each single call in ms
 * @returns the time of the tasks at once in ms
 */
export async function emptyTasks(
  pool: AnyPool,
  { calls, tasks, latencies, signal }: { calls: number; tasks: number; latencies: number[]; signal: AbortSignal },
): Promise<number> {
  // First the single calls: when the tasks at once are timed, the threads have started and the pool's code is compiled.
  for (let call = 0; call < calls; call++) {
    if (call % 100 === 0) signal.throwIfAborted()
    const start = performance.now()
    await pool.run({ do: 'nothing' })
    latencies.push(performance.now() - start)
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: tasks }, () => pool.run({ do: 'nothing' })))
  return performance.now() - start
}

const limits = (heapMb: number) => ({ maxOldGenerationSizeMb: heapMb })
const fixed = (workers: number) => ({ minThreads: workers, maxThreads: workers })
const deadline = (timeoutMs?: number) => (timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) })

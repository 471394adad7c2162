/** A worker thread of `chunking` and `oversubscribe`: counts primes in one range, or in its chunks of a shared loop. */
import type { Range } from '@repo/common/async/ranges'
import { countPrimes } from '@repo/common/workloads/primes'
import { arrive, chunksFor, type Loop } from './schedule.ts'

export type PrimesTask = Range | { loop: Loop; worker: number }

/** What a worker did for a loop; times in ms since the epoch, which all threads share. */
export interface WorkerLog {
  worker: number
  primes: number
  chunks: (Range & { beginMs: number; endMs: number })[]
}

export default function work(task: PrimesTask): WorkerLog | number {
  if ('from' in task) return countPrimes(task.from, task.to)
  const log: WorkerLog = { worker: task.worker, primes: 0, chunks: [] }
  const now = () => performance.timeOrigin + performance.now()
  arrive(task.loop)
  for (const chunk of chunksFor(task.loop, task.worker)) {
    const beginMs = now()
    log.primes += countPrimes(chunk.from, chunk.to)
    log.chunks.push({ ...chunk, beginMs, endMs: now() })
  }
  return log
}

/** A pool's worker that counts primes: in one range, in either way, or in the chunks that it takes from a shared loop. */
import type { Range } from '@repo/common/async/ranges'
import { countPrimes, sievePrimes } from '@repo/common/workloads/primes'
import { arrive, chunksFor, type Loop, type WorkerLog } from './schedule.ts'

export type PrimesTask = (Range & { sieve?: boolean }) | { loop: Loop; worker: number }

export default function work(task: PrimesTask): WorkerLog | number {
  if ('from' in task) return (task.sieve ? sievePrimes : countPrimes)(task.from, task.to)
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

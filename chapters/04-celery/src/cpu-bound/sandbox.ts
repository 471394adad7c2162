/** A sandboxed processor of BullMQ: loaded by a process of its own, which is handed one job after the other. */
import type { SandboxedJob } from 'bullmq'
import type { Message } from '../queue/message.ts'
import { countPrimes, type PrimesArgs } from './primes.ts'

export default async ({ data }: SandboxedJob<Message>) => {
  const { below, leastMs } = data.args as PrimesArgs
  return countPrimes(below, leastMs)
}

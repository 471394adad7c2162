/** A sandboxed processor of BullMQ: a process of its own loads it and gets one job after the other. */
import type { SandboxedJob } from 'bullmq'
import type { Message } from '../queue/message.ts'
import { countPrimes, type PrimesArgs } from './primes.ts'

export default async ({ data }: SandboxedJob<Message>) => {
  const { below, leastMs } = data.args as PrimesArgs
  return countPrimes(below, leastMs)
}

/**
 * A worker in a process of its own, which serves an Exchange. REMOTE_SECRET has its secret; its argument is a
 * WorkerArguments as JSON.
 */
import { ready } from '@repo/common/process/ready'
import { type Instances, serveObject } from './daemon.ts'
import { Exchange } from './exchange.ts'

export interface WorkerArguments {
  instances?: Instances
  /** The simulated latency of a rate. */
  meanLatencyMs?: number
  register?: { names: string; name: string; leaseMs?: number }
}

const { meanLatencyMs, ...options } = JSON.parse(process.argv[2] ?? '{}') as WorkerArguments
const secret = process.env.REMOTE_SECRET ?? ''
const { address } = await serveObject(() => new Exchange(meanLatencyMs), { secret, ...options })
ready({ address })

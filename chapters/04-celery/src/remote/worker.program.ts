/**
 * A worker in a process of its own: serves an Exchange. Its secret is in REMOTE_SECRET; its one argument is a
 * WorkerArguments as JSON.
 */
import { ready } from '@repo/common/process/ready'
import { type Instances, serveObject } from './daemon.ts'
import { Exchange } from './exchange.ts'

export interface WorkerArguments {
  instances?: Instances
  /** Simulated, of each rate. */
  meanLatencyMs?: number
  register?: { names: string; name: string; leaseMs?: number }
}

const { meanLatencyMs, ...options } = JSON.parse(process.argv[2] ?? '{}') as WorkerArguments
const secret = process.env.REMOTE_SECRET ?? ''
const { address } = await serveObject(() => new Exchange(meanLatencyMs), { secret, ...options })
ready({ address })

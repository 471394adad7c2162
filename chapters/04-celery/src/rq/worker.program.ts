/**
 * A worker of the smallest queue: it runs the jobs of one queue on the Redis of REDIS_URL until SIGTERM, then finishes
 * the jobs it has. Arguments: the queue's name, how many jobs it runs at a time, its lease in ms.
 */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { functions } from './functions.ts'
import { work } from './rq.ts'

const [queue = 'default', concurrency = '1', leaseMs = '15000'] = process.argv.slice(2)
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())

try {
  await work(process.env.REDIS_URL ?? '', queue, functions, {
    concurrency: Number(concurrency),
    leaseMs: Number(leaseMs),
    signal: stop.signal,
    onReady: ready,
    onError: (error) => process.stderr.write(`${describeError(error)}\n`),
  })
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}

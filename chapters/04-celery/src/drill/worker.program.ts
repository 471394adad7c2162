/**
 * A worker of the drill. REDIS_URL is the queue's, LEDGER_URL where it books. Arguments: prefix, name, concurrency,
 * lock in ms.
 */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { connect, type Redis } from '../queue/connect.ts'
import { startWorker } from '../worker/worker.ts'
import { book, bookIn, drillQueue, ledgerKeys } from './ledger.ts'

const [prefix = '', name = '', concurrency = '1', lockMs = '30000'] = process.argv.slice(2)
const { REDIS_URL: url = '', LEDGER_URL: ledgerUrl = '' } = process.env
const keys = ledgerKeys(prefix)

let ledger: Redis | undefined
try {
  const opened = await connect(ledgerUrl)
  ledger = opened
  const task: typeof book = { ...book, run: (booking) => bookIn(opened, keys, booking) }
  const worker = await startWorker({
    url,
    prefix,
    name,
    queues: [drillQueue],
    concurrency: Number(concurrency),
    lockMs: Number(lockMs),
    // Many faults may hit the same task, and it is not the task that kills the workers.
    maxRedeliveries: 1_000,
    tasks: [task],
  })
  process.on('SIGTERM', () => void worker.close())
  ready({ name })
  await worker.closed
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
} finally {
  // The open connection would keep the process alive.
  ledger?.disconnect()
}

/**
 * A worker of one engine. SETTINGS is a WorkerSettings as JSON, LEDGER_URL the Redis where the jobs book.
 *
 * It prints `begun LEDGER JOB` and `done LEDGER JOB`, the same for all engines. A job without a ledger does nothing and is
 * only `done`. What has been written to a pipe arrives even if the process is then killed.
 */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { connectRedis } from '@repo/common/servers/connect'
import { bookIn, bookingOf, ledgerKeys } from '04-celery/drill/ledger'
import type { Job, WorkerSettings } from '../adapters/adapter.ts'
import { engines } from './engines.ts'

try {
  const settings = JSON.parse(process.env.SETTINGS ?? '') as WorkerSettings
  const ledger = await connectRedis(process.env.LEDGER_URL ?? '')
  const { work } = await (engines[settings.engine] as (typeof engines)[string]).load()
  const say = (what: string, { ledger: prefix = '-', job }: Job) => process.stdout.write(`${what} ${prefix} ${job}\n`)
  const worker = await work?.(settings, async (job) => {
    if (job.ledger !== undefined) {
      say('begun', job)
      await bookIn(ledger, ledgerKeys(job.ledger), bookingOf(job.job))
    }
    say('done', job)
  })
  process.once('SIGTERM', async () => {
    await worker?.stop()
    process.exit()
  })
  ready()
  await worker?.lost
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exit(1)
}

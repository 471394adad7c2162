/** A worker of the pipeline: takes the jobs of one stage and runs its handler. Started by startPipeline. */
import { setTimeout as delay } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { loadInstruments } from './instruments.ts'
import type { StoreEffect } from './memory-store.ts'
import { type Answer, type Effect, handlers, type Order, run, stages } from './orders.ts'
import { connectionTo, messageName, openQueues, orderIdOf, orderIn } from './queues.ts'
import { RedisStore } from './redis-store.ts'
import { settingsOf, skewedClock } from './settings.ts'

const { REDIS_URL: url = '' } = process.env
const { name, prefix, bug, instruments, clockOffsetMs, concurrency, lockMs, slowMs } = settingsOf(process.argv[2])
const stage = stages.find((known) => name.startsWith(known)) ?? 'payment'
const now = skewedClock(clockOffsetMs)
const { log, around, telemetry, close } = await loadInstruments(instruments, { name, kind: stage, now, prefix })
const store = new RedisStore(url, prefix)
const queues = openQueues({ url, prefix, telemetry })

/** Thrown so that the job is delivered again. */
class TryAgain extends Error {
  readonly afterMs: number
  constructor(afterMs: number) {
    super('the bank did not answer')
    this.afterMs = afterMs
  }
}

/** Returns how long the simulated bank or packers take to answer, in ms; always the same for the same order. */
function slowness({ do: name, order }: StoreEffect): number {
  if (!['charge', 'take', 'read stock'].includes(name)) return 0
  const [least, most] = slowMs
  const digits = Number(order.replaceAll(/\D/g, '')) || 0
  return least + ((digits * 7) % (most - least + 1))
}

async function perform(effect: Effect, about: object, acknowledge: () => void): Promise<Answer> {
  return await around({ kind: 'effect', name: effect.do, ...about }, async () => {
    if (effect.do === 'send') {
      log.info({ ...about, sends: messageName(effect.to, effect.order) }, `sends to ${effect.to}`)
      return await queues.send(effect.to, effect.order)
    }
    if (effect.do === 'acknowledge') {
      acknowledge()
      return 'acknowledged'
    }
    const answer = await store.perform(effect, name, now())
    const ms = slowness(effect)
    if (ms > 0) await delay(ms)
    return answer
  })
}

/** Fulfilled when the job may be acknowledged. */
async function processJob(job: Job<Order>): Promise<void> {
  const order = orderIn(job)
  const delivery = job.attemptsStarted
  // Both ends of a message are logged with its name, so that readers can tell what came first without clocks.
  const about = { order: order.id, correlation: order.correlation, delivery, receives: messageName(stage, order) }
  const acknowledged = Promise.withResolvers<void>()
  const work = around({ kind: 'job', name: stage, ...about }, async () => {
    log.debug(about, `${stage} begins`)
    let sent = false
    const outcome = await run(handlers[stage](order, { bug, now, delivery }), (effect) => {
      sent ||= effect.do === 'send'
      return perform(effect, about, acknowledged.resolve)
    })
    // One line per job, with everything: when the order is sent on, or else at the end.
    if (outcome.done) return log[sent ? 'debug' : 'info'](about, `${stage} done`)
    log.warn({ ...about, retryAfterMs: outcome.retryAfterMs }, `${stage} is tried again`)
    throw new TryAgain(outcome.retryAfterMs)
  })
  await Promise.race([work, acknowledged.promise])
}

const worker = new Worker<Order>(stage, processJob, {
  connection: connectionTo(url),
  prefix,
  name,
  concurrency,
  lockDuration: lockMs,
  stalledInterval: lockMs,
  // If not notified of a job, it polls for one after this time, in s: a notification may be lost with a connection.
  drainDelay: 0.5,
  // How long until the next try when Redis is unreachable; BullMQ's default of 15 s would dominate a test.
  runRetryDelay: 200,
  // However often its workers are killed, a job is never given up.
  maxStalledCount: 1_000_000,
  settings: { backoffStrategy: (_attempt, _type, error) => (error instanceof TryAgain ? error.afterMs : 100) },
  ...(telemetry && { telemetry }),
})
worker.on('error', (error) => log.error({ err: error }, 'the queue could not be used'))
worker.on('failed', (job, err) => {
  if (err instanceof UnrecoverableError) log.error({ job: job?.id, err }, 'never delivered again')
})
worker.on('stalled', (id) => log.warn({ order: orderIdOf(id) }, 'its worker is gone: delivered again'))
await worker.waitUntilReady()
log.info({ node: process.version }, 'started')
ready({ pid: process.pid })

process.once('SIGTERM', async () => {
  await worker.close()
  await queues.close()
  await store[Symbol.asyncDispose]()
  await close?.()
  process.disconnect?.()
})

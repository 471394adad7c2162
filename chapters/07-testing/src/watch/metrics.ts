/**
 * Metrics for Prometheus, which scrapes each process at its own port on loopback. The process writes the port to a
 * file, as a target for Prometheus's service discovery (file_sd), and removes the file on a graceful shutdown.
 */
import { once } from 'node:events'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords } from '@repo/common/output/secrets'
import type { Identity, Instruments } from '../pipeline/instruments.ts'
import { type Stage, stages } from '../pipeline/orders.ts'
import { openQueues } from '../pipeline/queues.ts'

/** In seconds, from the time that Redis takes to longer than anyone would wait. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** How long Redis may take to answer a scrape. Prometheus waits half a second for the whole of it. */
const answersWithinMs = 200
/** How often the event loop is looked at, and from when on it counts as blocked. */
const loopEveryMs = 50
const blockedMs = 100

export async function watchMetrics({ name, kind, prefix }: Identity, folder: string): Promise<Instruments> {
  const registry = new Registry()
  // Node's own metrics: memory, CPU, garbage collection, and event-loop lag.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  // Names that Prometheus does not allow: gauges that end like counters, and types in names.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  for (const type of ['histogram', 'summary']) registry.removeSingleMetric(`nodejs_eventloop_utilization_${type}`)
  const registers = [registry]
  // Few labels with few values: each combination is its own series, and order ids would make millions.
  const seconds = new Histogram({
    name: 'pipeline_step_seconds',
    help: 'How long requests and jobs took',
    buckets,
    registers,
    labelNames: ['kind', 'step'] as const,
  })
  const failures = new Counter({
    name: 'pipeline_step_failures_total',
    help: 'How many of them failed',
    registers,
    labelNames: ['kind', 'step'] as const,
  })
  const own = kind === 'front' ? { kind: 'request', step: 'POST /orders' } : { kind: 'job', step: kind }
  /** The steps in progress, the oldest first. */
  const inProgress = new Set<{ begin: number }>()
  // A histogram shows what has ended. What hangs never does.
  new Gauge({
    name: 'pipeline_step_oldest_seconds',
    help: 'For how long the oldest of those in progress has run',
    registers,
    labelNames: ['kind', 'step'] as const,
    collect() {
      const now = performance.now()
      const [oldest = { begin: now }] = inProgress
      this.set(own, (now - oldest.begin) / 1000)
    },
  })
  // A rate needs a value from before the first failure.
  seconds.zero(own)
  failures.inc(own, 0)
  async function measured<T>(labels: { kind: string; step: string }, run: () => Promise<T>): Promise<T> {
    const step = { begin: performance.now() }
    inProgress.add(step)
    try {
      return await run()
    } catch (error) {
      failures.inc(labels)
      throw error
    } finally {
      inProgress.delete(step)
      seconds.observe(labels, (performance.now() - step.begin) / 1000)
    }
  }
  const stopLooking = watchEventLoop(registers)
  const closeQueues = watchQueues(registers, prefix, kind === 'front' ? stages : [kind])

  const server = createServer(async (_request, response) => {
    try {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    } catch (error) {
      response.writeHead(503).end(maskPasswords(messageOf(error)))
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The server must not keep the process running.
  server.unref()
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const target = join(folder, `${name.replaceAll(' ', '-')}.json`)
  const content = JSON.stringify([{ targets: [`127.0.0.1:${port}`], labels: { process: name, role: kind } }])
  await writeFile(`${target}.new`, content)
  await rename(`${target}.new`, target)

  return {
    // Effects have no histogram: a trace says how long one took.
    around: ({ kind, name: step }, run) => (kind === 'effect' ? run() : measured({ kind, step }, run)),
    close: async () => {
      await rm(target, { force: true })
      server.close()
      server.closeAllConnections()
      stopLooking()
      await closeQueues()
    },
  }
}

/**
 * Counts for how long the event loop was blocked. Node's own gauge of its lag begins anew at each scrape, so it misses
 * what comes between two of them; a counter does not.
 */
function watchEventLoop(registers: Registry[]): () => void {
  const blocked = new Counter({
    name: 'pipeline_eventloop_blocked_seconds_total',
    help: `For how long the event loop was late by more than ${blockedMs} ms`,
    registers,
  })
  let before = performance.now()
  const looking = setInterval(() => {
    const now = performance.now()
    const lateMs = now - before - loopEveryMs
    if (lateMs > blockedMs) blocked.inc(lateMs / 1000)
    before = now
  }, loopEveryMs).unref()
  return () => clearInterval(looking)
}

/**
 * The queues belong to no process. The front reports both, and each worker its own, so that they are known when one of
 * these is gone. When Redis does not answer in time, that is said instead: a scrape must not wait for it.
 */
function watchQueues(registers: Registry[], prefix: string, reported: readonly Stage[]): () => Promise<void> {
  const { queues, close } = openQueues({ url: process.env.REDIS_URL ?? '', prefix })
  const ask = inTime(async () => {
    const answers = reported.map(async (queue) => {
      const [depth, [oldest]] = await Promise.all([queues[queue].getWaitingCount(), queues[queue].getWaiting(0, 0)])
      return { queue, depth, oldestSeconds: oldest ? Math.max(0, Date.now() - oldest.timestamp) / 1000 : 0 }
    })
    return await Promise.all(answers)
  })
  new Gauge({
    name: 'pipeline_redis_up',
    help: 'Whether Redis has answered this scrape',
    registers,
    async collect() {
      this.set((await ask()) ? 1 : 0)
    },
  })
  function report(name: string, help: string, column: 'depth' | 'oldestSeconds') {
    new Gauge({
      name,
      help,
      labelNames: ['queue'] as const,
      registers,
      // #region queues
      async collect() {
        const answers = await ask()
        // A queue that is not known has no value: the last one would look as if it were.
        this.reset()
        for (const answer of answers ?? []) this.set({ queue: answer.queue }, answer[column])
      },
      // #endregion queues
    })
  }
  report('pipeline_queue_depth', 'Jobs that wait', 'depth')
  report('pipeline_queue_oldest_seconds', 'How long the oldest of them has waited', 'oldestSeconds')
  return close
}

/**
 * Returns a function that asks, and returns undefined when there is no answer in time. While an answer is awaited, it does
 * not ask again: questions would pile up for as long as Redis is away.
 */
function inTime<T>(ask: () => Promise<T>): () => Promise<T | undefined> {
  let asked: Promise<T | undefined> | undefined
  return async () => {
    asked ??= ask()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined
      })
    return await Promise.race([asked, delay(answersWithinMs, undefined, { ref: false })])
  }
}

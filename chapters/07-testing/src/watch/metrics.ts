/**
 * Metrics for Prometheus, which scrapes each process at its own port on loopback. The process writes the port to a
 * file, as a target for Prometheus's service discovery (file_sd), and removes the file on a graceful shutdown.
 */
import { once } from 'node:events'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords } from '@repo/common/output/secrets'
import type { Identity, Instruments } from '../pipeline/instruments.ts'
import { type Stage, stages } from '../pipeline/orders.ts'
import { openQueues } from '../pipeline/queues.ts'

/** In seconds, from the time that Redis takes to longer than anyone would wait. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export async function watchMetrics({ name, kind, prefix }: Identity, folder: string): Promise<Instruments> {
  const registry = new Registry()
  // Node's own metrics: memory, CPU, garbage collection, and event-loop lag.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
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
  async function measured<T>(labels: { kind: string; step: string }, run: () => Promise<T>): Promise<T> {
    const begin = performance.now()
    try {
      return await run()
    } catch (error) {
      failures.inc(labels)
      throw error
    } finally {
      seconds.observe(labels, (performance.now() - begin) / 1000)
    }
  }
  const closeQueues = kind === 'front' ? watchQueues(registers, prefix) : async () => {}

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
      await closeQueues()
    },
  }
}

/** The queues belong to no process. The front asks Redis about them whenever its metrics are scraped. */
function watchQueues(registers: Registry[], prefix: string): () => Promise<void> {
  const { queues, close } = openQueues({ url: process.env.REDIS_URL ?? '', prefix })
  const labelNames = ['queue'] as const
  const ask = async (gauge: Gauge<'queue'>, question: (stage: Stage) => Promise<number>) => {
    await Promise.all(stages.map(async (stage) => gauge.set({ queue: stage }, await question(stage))))
  }
  new Gauge({
    name: 'pipeline_queue_depth',
    help: 'Jobs that wait',
    labelNames,
    registers,
    async collect() {
      await ask(this, async (stage) => await queues[stage].getWaitingCount())
    },
  })
  new Gauge({
    name: 'pipeline_queue_oldest_seconds',
    help: 'How long the oldest of them has waited',
    labelNames,
    registers,
    async collect() {
      await ask(this, async (stage) => {
        const [oldest] = await queues[stage].getWaiting(0, 0)
        return oldest ? Math.max(0, Date.now() - oldest.timestamp) / 1000 : 0
      })
    },
  })
  return close
}

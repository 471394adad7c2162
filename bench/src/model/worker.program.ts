/**
 * A worker that waits: its tasks need no core. It takes tasks from one queue of REDIS_URL after the other, as its owner
 * says, one task at a time, and tells when it was done with each.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { Worker } from 'bullmq'

/** A task: how long it waits, and when it was sent, in ms since the epoch. */
export interface Nap {
  ms: number
  sentMs: number
}

export type Order = { take: string } | { report: true }

/** All times in ms: since the epoch, or lasting. */
export interface Report {
  doneMs: number[]
  latencyMs: number[]
  napMs: number[]
  cpuMs: number
}

const url = process.env.REDIS_URL ?? ''
const now = () => performance.timeOrigin + performance.now()
let worker: Worker<Nap> | undefined
let report: Report = { doneMs: [], latencyMs: [], napMs: [], cpuMs: 0 }
let before = process.cpuUsage()

async function nap({ data: { ms, sentMs } }: { data: Nap }) {
  const begin = now()
  await delay(ms)
  const end = now()
  report.doneMs.push(end)
  report.latencyMs.push(end - sentMs)
  report.napMs.push(end - begin)
}

process.on('message', async (order: Order) => {
  if ('take' in order) {
    report = { doneMs: [], latencyMs: [], napMs: [], cpuMs: 0 }
    worker = new Worker<Nap>(order.take, nap, { connection: { url, maxRetriesPerRequest: null }, concurrency: 1 })
    worker.on('error', () => {})
    await worker.waitUntilReady()
    before = process.cpuUsage()
    process.send?.({ taking: order.take })
  } else {
    const { user, system } = process.cpuUsage(before)
    await worker?.close()
    process.send?.({ ...report, cpuMs: (user + system) / 1_000 } satisfies Report)
  }
})
process.once('SIGTERM', async () => {
  await worker?.close()
  process.exit()
})
ready()

/** Measures a real task queue: what one task costs, and what some workers get done. */
import { setTimeout as delay } from 'node:timers/promises'
import { randomFrom } from '@repo/common/async/random'
import { until } from '@repo/common/async/until'
import { median, quantile } from '@repo/common/measure'
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { connectRedis } from '@repo/common/servers/connect'
import type { RedisServer } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Queue } from 'bullmq'
import { type Costs, rateOf } from './model.ts'
import type { Nap, Order, Report } from './worker.program.ts'

/** A run with so many workers. */
export interface Measured {
  perSecond: number
  p50Ms: number
  p95Ms: number
  /** For each task: the CPU of the workers and of the broker, and how long it really waited. */
  workerMs: number
  nextMs: number
  napMs: number
}

export interface Bench extends AsyncDisposable {
  /** Tasks that all wait from the beginning. Returns what the workers get done. */
  takeBacklog: (workers: number, tasks: number, napMs: number) => Promise<Measured>
  /** Tasks that are sent at random moments, so many in each second. Returns how long they take. */
  takeArrivals: (workers: number, tasks: number, napMs: number, perSecond: number) => Promise<Measured>
  /** Returns the CPU that sending one task takes, at the client and at the broker, while nobody takes any. */
  sendMany: (tasks: number) => Promise<Pick<Costs, 'clientMs' | 'sendMs'>>
}

/** Starts worker processes for a broker that is used by nobody else. */
export async function startBench(redis: RedisServer, most: number, signal: AbortSignal): Promise<Bench> {
  await using stack = new AsyncDisposableStack()
  const admin = await connectRedis(redis.url)
  stack.defer(() => admin.disconnect())
  const programs = await startAll(
    stack,
    Array.from({ length: most }, () =>
      startProgram(new URL('./worker.program.ts', import.meta.url), { env: { REDIS_URL: redis.url }, signal }),
    ),
  )
  const connection = { url: redis.url, maxRetriesPerRequest: null }

  /** The CPU that the broker's thread has used, in ms. */
  async function brokerCpuMs(): Promise<number> {
    const info = await admin.info('cpu')
    const [user = 0, system = 0] = ['user', 'sys'].map((kind) =>
      Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(info)?.[1]),
    )
    return 1_000 * (user + system)
  }

  let queues = 0
  async function run(
    workers: number,
    tasks: number,
    send: (queue: Queue<Nap>, taking: () => Promise<void>) => Promise<void>,
  ) {
    queues++
    const queue = new Queue<Nap>(`naps-${queues}`, {
      connection,
      defaultJobOptions: { removeOnComplete: true },
    })
    queue.on('error', () => {})
    try {
      const fleet = programs.slice(0, workers)
      let cpu = 0
      await send(queue, async () => {
        await Promise.all(fleet.map((program) => ask(program, { take: queue.name } satisfies Order, signal)))
        cpu = await brokerCpuMs()
      })
      const left = async () => {
        const { wait = 0, active = 0, prioritized = 0 } = await queue.getJobCounts('wait', 'active', 'prioritized')
        return wait + active + prioritized
      }
      await until(async () => (await left()) === 0, {
        everyMs: 200,
        timeoutMs: 120_000,
        signal,
        what: 'all tasks are done',
      })
      const used = (await brokerCpuMs()) - cpu
      const reports = await Promise.all(
        fleet.map((program) => ask<Report>(program, { report: true } satisfies Order, signal)),
      )
      const doneMs = reports.flatMap(({ doneMs }) => doneMs).sort((a, b) => a - b)
      if (doneMs.length !== tasks) throw new Error(`${doneMs.length} of ${tasks} tasks were done`)
      const latencies = reports.flatMap(({ latencyMs }) => latencyMs.slice(Math.floor(latencyMs.length / 5)))
      return {
        perSecond: rateOf(doneMs),
        p50Ms: quantile(latencies, 0.5),
        p95Ms: quantile(latencies, 0.95),
        workerMs: reports.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / tasks,
        nextMs: used / tasks,
        napMs: median(reports.flatMap(({ napMs }) => napMs)),
      }
    } finally {
      await queue.obliterate({ force: true })
      await queue.close()
    }
  }
  const now = () => performance.timeOrigin + performance.now()
  const random = randomFrom(1)
  const owned = stack.move()
  return {
    takeBacklog: (workers, tasks, ms) =>
      run(workers, tasks, async (queue, taking) => {
        const sentMs = now()
        await queue.addBulk(Array.from({ length: tasks }, () => ({ name: 'nap', data: { ms, sentMs } })))
        await taking()
      }),
    takeArrivals: (workers, tasks, ms, perSecond) =>
      run(workers, tasks, async (queue, taking) => {
        await taking()
        const sent: Promise<unknown>[] = []
        let nextMs = now()
        for (let task = 0; task < tasks; task++) {
          nextMs -= (1_000 / perSecond) * Math.log(1 - random())
          const early = nextMs - now()
          if (early > 0) await delay(early, undefined, { signal })
          sent.push(queue.add('nap', { ms, sentMs: Math.max(nextMs, now()) }))
        }
        await Promise.all(sent)
      }),
    async sendMany(tasks) {
      const queue = new Queue<Nap>('nobody', { connection })
      queue.on('error', () => {})
      await queue.waitUntilReady()
      const [broker, client] = [await brokerCpuMs(), process.cpuUsage()]
      await Promise.all(Array.from({ length: tasks }, () => queue.add('nap', { ms: 0, sentMs: 0 })))
      const { user, system } = process.cpuUsage(client)
      const costs = {
        clientMs: (user + system) / 1_000 / tasks,
        sendMs: ((await brokerCpuMs()) - broker) / tasks,
      }
      await queue.obliterate({ force: true })
      await queue.close()
      return costs
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

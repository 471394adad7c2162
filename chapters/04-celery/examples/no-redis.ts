/**
 * no-redis: the same tasks on BullMQ's other backend, PostgreSQL, which here runs inside this very process
 *
 *     pnpm --filter 04-celery start no-redis
 *     pnpm --filter 04-celery start no-redis --tasks 5000 --workers 4
 *
 * PGlite is PostgreSQL compiled to WebAssembly: nothing to install, no server. Workers reach it through a socket.
 *
 * Look for: what stays the same (the tasks, their checked arguments, a failure with the worker's stack, a task that
 * survives its worker's SIGKILL), and what it costs: its rate beside that of Redis, where there is one.
 */
import { until } from '@repo/common/async/until'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { findRedisServer } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { pglitePolling, Queue, QueueEvents, startPostgres } from '../src/postgres/postgres.ts'
import type { Message } from '../src/queue/message.ts'
import { gather } from '../src/queue/results.ts'
import { defaultQueue } from '../src/queue/settings.ts'
import type { Task } from '../src/queue/task.ts'
import { startSystem } from '../src/system.ts'
import { add, echo } from '../src/tasks/index.ts'
import { convert, nap } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 100_000).default(2_000).describe('sums to compute, for the rate'),
    workers: wholeNumber(2, 32).default(2).describe('worker processes'),
    lock: wholeNumber(500, 60_000)
      .default(2_000)
      .describe('ms for which a worker without a sign of life keeps its task'),
  },
  quick: { tasks: 500, lock: 1_000 },

  async run({ tasks, workers: workerCount, lock }, { signal, print }) {
    // PostgreSQL in this process, workers in theirs, and BullMQ's own Queue and QueueEvents for the client.
    await using stack = new AsyncDisposableStack()
    const { connection, version } = stack.use(await startPostgres())
    const starting = Array.from({ length: workerCount }, (_, at) =>
      startProgram<{ name: string }>(new URL('../src/postgres/worker.program.ts', import.meta.url), {
        args: [`worker ${at + 1}`, String(lock)],
        env: { POSTGRES: JSON.stringify(connection) },
        signal,
      }),
    )
    const workers = await startAll(stack, starting)
    const queue = stack.adopt(new Queue<Message>(defaultQueue, { connection }), (queue) => queue.close())
    const listener = new QueueEvents(defaultQueue, { connection, ...pglitePolling.events })
    const events = stack.adopt(listener, (events) => events.close())
    queue.on('error', () => {}).setMaxListeners(0)
    events.on('error', () => {}).setMaxListeners(0)
    await events.waitUntilReady()
    print(`PostgreSQL ${version} in this process, ${howMany(workerCount, 'worker process')} …`, '')
    using bar = progress('running tasks', tasks)

    // A job has the task's name, its arguments and its version, as on Redis. An event says that it has ended.
    const message = ({ version }: Task, args: object): Message => ({ args, version })
    const hello = await queue.add(echo.name, message(echo, { text: 'hello' }))
    print(`echo: ${await hello.waitUntilFinished(events)}`)

    // A failure keeps the worker's stack.
    const failing = await queue.add(convert.name, message(convert, { amount: 1, rate: -1 }))
    const error: Error = await failing.waitUntilFinished(events).catch((error) => error)
    const trace = (await queue.getJob(failing.id ?? ''))?.stacktrace?.at(-1) ?? ''
    const [what = '', where = ''] = trace.split('\n')
    print(`convert: ${what}`, `         ${where.trim().replace(/\(.*\//, '(')}`, '')

    // Many tasks at once, for the rate.
    const argsList = Array.from({ length: tasks }, (_, at) => ({ a: at, b: 1 }))
    const check = (sums: number[]) => {
      const [total, expected] = [sums.reduce((sum, value) => sum + value, 0), (tasks * (tasks + 1)) / 2]
      if (total !== expected) throw new Error(`the sums add up to ${total} instead of ${expected}`)
    }
    const begin = performance.now()
    const jobs = await queue.addBulk(argsList.map((args) => ({ name: add.name, data: message(add, args) })))
    let done = 0
    const sums = jobs.map(async (job) => {
      const sum: number = await job.waitUntilFinished(events)
      bar.update(++done)
      return sum
    })
    check(await Promise.all(sums))
    const postgresMs = performance.now() - begin

    // A worker is killed while it has a task.
    bar.update(tasks, 'a task whose worker is killed')
    const workMs = 5 * lock
    const long = await queue.add(nap.name, message(nap, { ms: workMs }))
    const sentAt = performance.now()
    const held = await until(async () => (await queue.getActive())[0], { timeoutMs: 60_000, signal })
    const victim = workers.find(({ info }) => info.name === held.processedBy) ?? workers[0]
    victim?.process.kill('SIGKILL')
    const { worker: finisher }: { worker: string } = await long.waitUntilFinished(events)
    const recoveryMs = performance.now() - sentAt

    // The same many tasks on Redis.
    const hasRedis = Boolean(process.env.REDIS_URL || (await findRedisServer()))
    let redisMs: number | undefined
    if (hasRedis) {
      await using system = await startSystem({ workers: workerCount, signal, alone: true })
      const begin = performance.now()
      check(await gather(await system.client.sendMany(add, argsList), { timeoutMs: 300_000, signal }))
      redisMs = performance.now() - begin
    }
    // The same sums on this thread, as plain function calls.
    const plainBegin = performance.now()
    check(argsList.map(({ a, b }) => a + b))
    const cost = costOf(
      performance.now() - plainBegin,
      [postgresMs, redisMs].flatMap((ms) => (ms === undefined ? [] : { workers: workerCount, ms })),
    )
    const rate = (ms: number) => Math.round((1_000 * tasks) / ms)
    print(
      `${victim?.info.name} was killed with a task; ${finisher} did it, ${milliseconds(recoveryMs)} after it was sent; the work takes ${milliseconds(workMs)}, a lock lasts ${milliseconds(lock)}.`,
      '',
      table(
        [howMany(tasks, 'task'), 'time', 'tasks/s'],
        [
          ['PostgreSQL in this process', milliseconds(postgresMs), count(rate(postgresMs))],
          ...(redisMs === undefined ? [] : [['Redis', milliseconds(redisMs), count(rate(redisMs))]]),
        ],
      ),
      describeCost(cost),
      ...(hasRedis ? [] : ['There is no Redis here to compare with.']),
    )
    return {
      tasks,
      workers: workerCount,
      postgresPerSecond: rate(postgresMs),
      redisPerSecond: redisMs && rate(redisMs),
      ...cost,
      error: error.message,
      killed: victim?.info.name,
      finisher,
      recoveryMs,
    }
  },
  figure: ({ postgresPerSecond, redisPerSecond, cost }) =>
    `${count(postgresPerSecond)} tasks/s on PostgreSQL in the process${redisPerSecond ? `, ${count(redisPerSecond)} on Redis` : ''}; COST ${cost}`,
})

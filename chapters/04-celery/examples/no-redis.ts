/**
 * no-redis: the same tasks on BullMQ's other backend, PostgreSQL, which here runs inside this very process
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start no-redis
 *     pnpm --filter 04-celery start no-redis --tasks 5000 --workers 4
 *
 * PGlite is PostgreSQL compiled to WebAssembly: nothing to install, no server. Worker processes reach it through a socket.
 *
 * Look for: what is the same (the tasks, their checked arguments, a failure with the worker's stack, a task that survives
 * its worker's SIGKILL), and what it costs: the rate beside that of Redis, where there is one.
 */

import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { findRedisServer } from '@repo/common/servers/redis'
import { openPostgresClient } from '../src/postgres/layer.ts'
import { startPostgres } from '../src/postgres/postgres.ts'
import { startPostgresWorkers } from '../src/postgres/processes.ts'
import { TaskFailed } from '../src/queue/errors.ts'
import { gather } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { add, echo } from '../src/tasks/index.ts'
import { convert, nap } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 100_000).default(2_000).describe('sums to be computed, for the rate'),
    workers: wholeNumber(2, 32).default(2).describe('worker processes'),
    lock: wholeNumber(500, 60_000)
      .default(2_000)
      .describe('ms for which a worker without a sign of life keeps its task'),
  },
  quick: { tasks: 500, lock: 1_000 },

  async run({ tasks, workers, lock }, { signal, print }) {
    await using server = await startPostgres()
    await using running = await startPostgresWorkers(server, workers, { lockMs: lock, signal })
    await using client = await openPostgresClient(server.connection)
    print(`PostgreSQL ${server.version} in this process, ${workers} worker processes …`, '')
    using bar = progress('running tasks', tasks)

    const said = await (await client.send(echo, { text: 'hello' })).get({ timeoutMs: 60_000, signal })
    const failing = await client.send(convert, { amount: 1, rate: -1 })
    const error = await failing.get({ timeoutMs: 60_000, signal }).catch((error: unknown) => error)
    if (!(error instanceof TaskFailed)) throw new Error('the task should have failed', { cause: error })
    const where =
      error.remoteStack
        .split('\n')[1]
        ?.trim()
        .replace(/\(.*\//, '(') ?? ''
    print(`echo: ${said}`, `convert: ${error.message}`, `         ${where}`, '')

    const argsList = Array.from({ length: tasks }, (_, at) => ({ a: at, b: 1 }))
    const expected = (tasks * (tasks + 1)) / 2
    const check = (sums: number[]) => {
      const total = sums.reduce((sum, value) => sum + value, 0)
      if (total !== expected) throw new Error(`the sums add up to ${total} instead of ${expected}`)
    }
    const begin = performance.now()
    const results = await client.sendMany(add, argsList)
    let done = 0
    check(
      await Promise.all(
        results.map(async (result) => {
          const sum = await result.get({ timeoutMs: 300_000, signal })
          bar.update(++done)
          return sum
        }),
      ),
    )
    const postgresMs = performance.now() - begin

    bar.update(tasks, 'a task whose worker is killed')
    // Long enough to be found and killed while it runs.
    const long = await client.send(nap, { ms: 5 * lock })
    const killedAt = performance.now()
    const held = () => client.query("select name, processed_by from job where state = 'active'")
    const [job] = await until(
      async () => {
        const jobs = await held()
        return jobs.length > 0 ? jobs : undefined
      },
      { timeoutMs: 60_000, signal },
    )
    const victim = running.programs.find(({ info }) => info.name === job?.processed_by) ?? running.programs[0]
    victim?.process.kill('SIGKILL')
    const { worker: finisher } = await long.get({ timeoutMs: 60_000, signal })
    const recoveryMs = performance.now() - killedAt

    const hasRedis = Boolean(process.env.REDIS_URL || (await findRedisServer()))
    let redisMs: number | undefined
    if (hasRedis) {
      await using system = await startSystem({ workers, signal, alone: true })
      const begin = performance.now()
      check(await gather(await system.client.sendMany(add, argsList), { timeoutMs: 300_000, signal }))
      redisMs = performance.now() - begin
    }
    const rate = (ms: number) => Math.round((1_000 * tasks) / ms)
    print(
      `${victim?.info.name} was killed with a task; ${finisher} did it, ${milliseconds(recoveryMs)} after it was sent; the work takes ${milliseconds(5 * lock)}, a lock lasts ${milliseconds(lock)}.`,
      '',
      table(
        [`${count(tasks)} tasks`, 'time', 'tasks/s'],
        [
          ['PostgreSQL in this process', milliseconds(postgresMs), count(rate(postgresMs))],
          ...(redisMs === undefined ? [] : [['Redis', milliseconds(redisMs), count(rate(redisMs))]]),
        ],
      ),
      ...(hasRedis ? [] : ['There is no Redis here to compare with.']),
    )
    return {
      tasks,
      workers,
      postgresPerSecond: rate(postgresMs),
      redisPerSecond: redisMs && rate(redisMs),
      error: error.message,
      killed: victim?.info.name,
      finisher,
      recoveryMs,
    }
  },
  figure: ({ postgresPerSecond, redisPerSecond }) =>
    `${count(postgresPerSecond)} tasks/s on PostgreSQL in the process${redisPerSecond ? `, ${count(redisPerSecond)} on Redis` : ''}`,
})

/**
 * schedule: a periodic task that several programs declare fires once each time, even when a worker and Redis die
 *
 *     pnpm --filter 04-celery start schedule
 *     pnpm --filter 04-celery start schedule --every 500 --schedulers 5
 *
 * Celery needs one process that keeps the time, beat, and there must be only one. Here the schedule is stored in Redis,
 * every program may declare it, and the worker that takes one of its tasks adds the next one.
 *
 * Look for: no moment fires twice, although every client declares the schedule again and again; and what happens to
 * the moments when no worker was running.
 */
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Client, openClient } from '../src/queue/client.ts'
import { listen } from '../src/queue/events.ts'
import { schedule, schedules } from '../src/queue/schedule.ts'
import { signature } from '../src/queue/task.ts'
import { startSystem } from '../src/system.ts'
import { tick } from '../src/tasks/tour.ts'

interface Fired {
  due: number
  at: number
  worker: string
}

export default example(import.meta, {
  options: {
    every: wholeNumber(50, 60_000).default(250).describe('ms from one moment to the next'),
    schedulers: wholeNumber(1, 20).default(3).describe('how many clients declare the schedule'),
    moments: wholeNumber(2, 1_000).default(12).describe('how many firings it waits for, before and after the faults'),
  },
  quick: { moments: 6 },

  async run({ every, schedulers, moments }, { signal, print }) {
    // With its own workers and keys, because it kills one of the workers.
    const args = ['--lock', '2']
    await using system = await startSystem({ workers: 2, args, alone: true, appendOnly: true, signal })
    const { client, redis, workers } = system

    // #region declare
    // Several programs declare the same schedule.
    await using stack = new AsyncDisposableStack()
    const declaring: Client[] = []
    for (let at = 0; at < schedulers; at++) {
      declaring.push(stack.use(await openClient({ url: redis.url, prefix: client.prefix })))
    }
    const declare = async () =>
      await Promise.all(declaring.map((each) => schedule(each, 'clock', { everyMs: every }, signature(tick, {}))))
    // #endregion declare

    // The workers run its tasks; each returns when it ran and for which moment.
    const fired: Fired[] = []
    await using _listening = await listen(client, ['default'], (event) => {
      if (event.type === 'succeeded') fired.push(event.result as Fired)
    })
    using bar = progress('waiting for the moments', 2 * moments)
    const firings = async (number: number) => {
      await until(
        async () => {
          bar.update(fired.length)
          await declare()
          return fired.length >= number
        },
        { timeoutMs: 30_000 + 10 * number * every, signal, what: `${number} firings` },
      )
    }
    print(`${schedulers} clients declare the same schedule, every ${every} ms, again and again; 2 workers …`)
    await firings(moments)

    // In the middle a worker and Redis die.
    const faultAt = Date.now()
    await workers[0]?.kill()
    const restarted = redis.server !== undefined
    if (restarted) await redis.restart()
    print(`Killed a worker${restarted ? ' and restarted Redis from its file' : ''}; going on …`, '')
    await firings(2 * moments)

    // Each moment has a number: none may come twice, and some may be missing.
    const dues = fired.map(({ due }) => due)
    const doubled = dues.length - new Set(dues).size
    const gaps = dues.slice(1).map((due, at) => Math.round((due - (dues[at] ?? 0)) / every))
    const skipped = gaps.reduce((sum, gap) => sum + gap - 1, 0)
    const lateMs = Math.max(...fired.filter(({ at }) => at < faultAt).map(({ due, at }) => at - due))
    const byWorker = Map.groupBy(fired, ({ worker }) => worker)
    print(
      table(
        ['worker', 'fired'],
        [...byWorker].map(([worker, times]) => [worker, times.length]),
      ),
      '',
      `${fired.length} firings, ${doubled} moments fired twice, ${skipped} skipped while nobody could fire; at most ${milliseconds(lateMs)} late before the faults.`,
    )

    // A schedule can also follow a local calendar.
    const cron = { cron: '30 6 * * 1-5', timeZone: 'Europe/Rome' }
    await schedule(client, 'report', cron, signature(tick, {}))
    const next = (await schedules(client, 'default')).find(({ name }) => name === 'report')?.next?.toISOString()
    print(`"${cron.cron}" in ${cron.timeZone} is due next at ${next}.`)
    return { every, schedulers, fired: fired.length, doubled, skipped, lateMs, cron: { ...cron, next } }
  },
  figure: ({ schedulers, fired, doubled }) => `${fired} firings by ${schedulers} schedulers, ${doubled} twice`,
})

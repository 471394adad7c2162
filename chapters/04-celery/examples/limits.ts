/**
 * limits: how many tasks may begin per second, how many may run at once, and how long one may take
 *
 *     pnpm --filter 04-celery start limits
 *     pnpm --filter 04-celery start limits --tasks 64
 *
 * Look for: the rate, which two workers keep together; how the time falls with the number of places, as long as tasks
 * only wait; and how four tasks that take too long end.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, table } from '@repo/common/output/terminal'
import { ask } from '../src/queue/control.ts'
import { TaskFailed } from '../src/queue/errors.ts'
import { gather, type TaskResult } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { collect, deaf, limited, nap, spin } from '../src/tasks/tour.ts'

const napMs = 50

export default example(import.meta, {
  options: {
    tasks: wholeNumber(2, 1_000).default(48).describe('how many tasks are sent in the first two parts'),
  },
  quick: { tasks: 24 },

  async run({ tasks }, { signal, print }) {
    // With its own workers, because it changes how many tasks they run at once.
    await using system = await startSystem({ workers: 2, alone: true, signal })
    const { client } = system
    using bar = progress('testing the limits')

    // Rate: `limited` is defined with `rateLimit: { max: 20, perMs: 1_000 }`. Each task returns when and where it
    // began.
    const starts = await gather(await client.sendMany(limited, Array(tasks).fill({})), { signal })
    const times = starts.map(({ at }) => at)
    const spanMs = Math.max(...times) - Math.min(...times)
    const perSecond = (1000 * (tasks - 1)) / spanMs
    const byWorker = [...Map.groupBy(starts, ({ worker }) => worker).values()].map((of) => of.length)
    const rate = { limit: limited.rateLimit?.max ?? 0, tasks, byWorker, spanMs, perSecond }
    print(
      `Rate: at most ${rate.limit} of "${limited.name}" per second, across both workers.`,
      `  ${howMany(tasks, 'task')}, ${byWorker.join(' and ')} on each worker, started at ${perSecond.toFixed(1)} per second.`,
      '',
    )

    // Concurrency: remote control changes the number of places while the workers run.
    bar.update(0, 'one task at a time')
    const concurrency = []
    for (const places of [1, 4, 16]) {
      await ask(client, { command: 'concurrency', value: places }, { timeoutMs: 60_000 })
      const start = performance.now()
      await gather(await client.sendMany(nap, Array(tasks).fill({ ms: napMs })), { signal })
      concurrency.push({ places: 2 * places, tasks, ms: performance.now() - start })
    }
    // Without a queue, the event loop of one thread waits for all of them at once.
    const begin = performance.now()
    await Promise.all(Array.from({ length: tasks }, () => delay(napMs, undefined, { signal })))
    const cost = costOf(
      performance.now() - begin,
      concurrency.map(({ places, ms }) => ({ workers: places, ms })),
    )
    print(
      `Concurrency: ${howMany(tasks, 'task')} that wait ${napMs} ms, on 2 workers.`,
      table(
        ['places', 'time', 'at least'],
        concurrency.map(({ places, ms }) => {
          return [places, milliseconds(ms), milliseconds(Math.ceil(tasks / places) * napMs)]
        }),
      ),
      describeCost(cost, 'places'),
      '',
    )

    // Time: a task that stops at its soft limit, one that ignores its hard limit, one that cannot listen, and a limit
    // that the call sets.
    bar.update(0, 'tasks that take too long')
    const endOf = async (kind: string, sending: Promise<TaskResult>) => {
      const start = performance.now()
      const end = await (await sending).settled({ signal })
      const ms = performance.now() - start
      if (end.ok) return { kind, ms, ended: JSON.stringify(end.value) }
      return { kind, ms, ended: end.error instanceof TaskFailed ? end.error.remoteName : end.error.name }
    }
    const time = await Promise.all([
      endOf('soft limit, the task listens', client.send(collect, { everyMs: 20 })),
      endOf('hard limit, it does not listen', client.send(deaf, { ms: 3_000 })),
      endOf('hard limit, a loop in a thread', client.send(spin, {})),
      endOf('hard limit given by the call', client.send(nap, { ms: 60_000 }, { hardLimitMs: 150 })),
    ])
    print(
      'Time:',
      table(
        ['task', 'ended after', 'with'],
        time.map(({ kind, ms, ended }) => [kind, milliseconds(ms), ended]),
      ),
    )
    return { rate, concurrency, ...cost, time }
  },
  figure: ({ rate, time, cost }) =>
    `${rate.perSecond.toFixed(1)} starts per second of ${rate.limit} allowed; ${howMany(time.length, 'task')} stopped in time; COST ${cost} places`,
})

/**
 * limits: how many tasks may begin in a second, run at a time, and how long one may take
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start limits
 *     pnpm --filter 04-celery start limits --tasks 64
 *
 * Look for: the rate, which two workers keep together; how the time falls with the number of places, as long as tasks only wait;
 * and what became of the four tasks that took too long.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import type { Client } from '../src/queue/client.ts'
import { ask } from '../src/queue/control.ts'
import { TaskFailed } from '../src/queue/errors.ts'
import { gather } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { collect, deaf, limited, nap, spin } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    tasks: wholeNumber(2, 1_000).default(48).describe('how many tasks are sent in the first two parts'),
  },
  quick: { tasks: 24 },

  async run({ tasks }, { signal, print }) {
    // Its own workers, for they are told how many tasks to run at a time.
    await using system = await startSystem({ workers: 2, alone: true, signal })
    const { client } = system
    using bar = progress('testing the limits')
    const rate = await testRate(client, tasks, signal)
    print(
      `Rate: at most ${rate.limit} of "${limited.name}" in a second, over both workers.`,
      `  ${tasks} tasks, ${rate.byWorker.join(' and ')} on each worker, begun at ${rate.perSecond.toFixed(1)} in a second.`,
      '',
    )

    bar.update(0, 'one task at a time')
    const napMs = 50
    const concurrency = []
    for (const places of [1, 4, 16]) {
      await ask(client, { command: 'concurrency', value: places }, { timeoutMs: 60_000 })
      const start = performance.now()
      await gather(await client.sendMany(nap, Array(tasks).fill({ ms: napMs })), { signal })
      concurrency.push({ places: 2 * places, tasks, ms: performance.now() - start })
    }
    print(
      `Concurrency: ${tasks} tasks that wait ${napMs} ms, on 2 workers.`,
      table(
        ['places', 'time', 'at least'],
        concurrency.map(({ places, ms }) => [
          places,
          milliseconds(ms),
          milliseconds(Math.ceil(tasks / places) * napMs),
        ]),
      ),
      '',
    )

    bar.update(0, 'tasks that take too long')
    const time = await Promise.all([
      outcome('soft limit, the task listens', client, collect, { everyMs: 20 }, { signal }),
      outcome('hard limit, it does not listen', client, deaf, { ms: 3_000 }, { signal }),
      outcome('hard limit, a loop in a thread', client, spin, {}, { signal }),
      outcome('hard limit given by the call', client, nap, { ms: 60_000 }, { signal, hardLimitMs: 150 }),
    ])
    print(
      'Time:',
      table(
        ['task', 'ended after', 'with'],
        time.map(({ kind, ms, ended }) => [kind, milliseconds(ms), ended]),
      ),
    )
    return { rate, concurrency, time }
  },
  figure: ({ rate, time }) =>
    `${rate.perSecond.toFixed(1)} starts in a second of ${rate.limit} allowed; ${time.length} tasks stopped in time`,
})

async function testRate(client: Client, tasks: number, signal: AbortSignal) {
  const starts = await gather(await client.sendMany(limited, Array(tasks).fill({})), { signal })
  const times = starts.map(({ at }) => at).sort((a, b) => a - b)
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const byWorker = [...Map.groupBy(starts, ({ worker }) => worker).values()].map((of) => of.length)
  return { limit: limited.rateLimit?.max ?? 0, tasks, byWorker, spanMs, perSecond: (1000 * (tasks - 1)) / spanMs }
}

/** Sends a task and tells how and when it ended. */
async function outcome(
  kind: string,
  client: Client,
  task: Parameters<Client['send']>[0],
  args: object,
  { signal, hardLimitMs }: { signal: AbortSignal; hardLimitMs?: number },
) {
  const start = performance.now()
  const result = await client.send(task, args, hardLimitMs === undefined ? {} : { hardLimitMs })
  const end = await result.settled({ signal })
  const ms = performance.now() - start
  if (end.ok) return { kind, ms, ended: JSON.stringify(end.value) }
  return { kind, ms, ended: end.error instanceof TaskFailed ? end.error.remoteName : end.error.name }
}

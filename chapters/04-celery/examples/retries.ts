/**
 * retries: a busy service turns most calls away; tasks come back with growing waits, together or spread by jitter
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start retries
 *     pnpm --filter 04-celery start retries --tasks 100 --calls 10
 *
 * The service is simulated: a counter in Redis that lets so many calls through in each tenth of a second. Both runs have the
 * same back-off, 100 ms doubled up to 1.6 s; the second one waits a random part of it.
 *
 * Look for: how many calls are made in vain without jitter, because all that were turned away together return together;
 * the picture shows them as columns.
 */
import { randomUUID } from 'node:crypto'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { listen } from '../src/queue/events.ts'
import { gather } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { callTogether, callWithJitter } from '../src/tasks/tour.ts'

const windowMs = 100

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 500).default(60).describe('how many tasks call the service at once'),
    calls: wholeNumber(1, 500).default(6).describe('how many calls it serves in a tenth of a second'),
  },
  quick: { tasks: 30 },

  async run({ tasks, calls }, { signal, print, picture }) {
    await using system = await startSystem({ workers: 1, args: ['--concurrency', '500'], signal })
    const { client } = system
    print(`${tasks} tasks call a service that serves ${calls} calls in ${windowMs} ms …`, '')
    using bar = progress('calling', 2 * tasks)
    let done = 0

    const runs: Run[] = []
    for (const task of [callTogether, callWithJitter]) {
      const tries: { id: string; at: number; served: boolean }[] = []
      await using _listening = await listen(client, ['default'], ({ type, id, at }) => {
        if (type === 'started') tries.push({ id, at: at.getTime(), served: false })
        if (type === 'succeeded') bar.update(++done)
      })
      const args = { key: `${client.prefix}:service:${randomUUID()}`, calls, windowMs }
      const begin = Date.now()
      const sent = await client.sendMany(task, Array<typeof args>(tasks).fill(args))
      const results = await gather(sent, { timeoutMs: 60_000, signal })
      const served = new Map(sent.map(({ id }, at) => [id, results[at]?.attempt]))
      const seen = new Map<string, number>()
      const points = tries
        .filter(({ id }) => served.has(id))
        .map(({ id, at }) => {
          const attempt = (seen.get(id) ?? 0) + 1
          seen.set(id, attempt)
          return { at: at - begin, served: attempt === served.get(id) }
        })
      runs.push({
        name: task === callTogether ? 'no jitter' : 'full jitter',
        // As the tasks themselves counted them.
        tries: results.reduce((sum, { attempt }) => sum + attempt, 0),
        most: Math.max(...results.map(({ attempt }) => attempt)),
        ms: Math.max(...results.map(({ at }) => at)) - begin,
        points,
      })
    }
    print(
      table(
        ['', 'calls', 'in vain', 'most by one task', 'all served after'],
        runs.map(({ name, tries, most, ms }) => [name, count(tries), count(tries - tasks), most, milliseconds(ms)]),
      ),
      '',
    )
    const leastMs = (Math.ceil(tasks / calls) - 1) * windowMs
    print(`A service that is never called in vain would need ${milliseconds(leastMs)}.`)
    const path = await picture('retries.svg', drawCalls(runs, { tasks, calls }))
    print(`Picture: ${path}`)
    const policies = runs.map(({ name, tries, most, ms }) => ({ name, tries, inVain: tries - tasks, most, ms }))
    return { tasks, calls, windowMs, leastMs, policies, picture: path }
  },
  figure: ({ policies: [together, jitter] }) =>
    `${together?.inVain} calls in vain without jitter, ${jitter?.inVain} with it`,
})

interface Run {
  name: string
  tries: number
  most: number
  ms: number
  points: { at: number; served: boolean }[]
}

/** Every call as a small stroke, a row for each way. */
function drawCalls(runs: Run[], { tasks, calls }: { tasks: number; calls: number }): string {
  return timeline({
    title: 'Tasks that call a busy service',
    subtitle: `${tasks} tasks; the service, a simulation, serves ${calls} calls in each tenth of a second`,
    rowHeight: 60,
    kinds: { 'turned away': { look: 'tick', color: palette[1] }, served: { look: 'tick', color: palette[2] } },
    rows: runs.map(({ name, points }) => ({
      name,
      marks: points.map(({ at, served }) => ({ kind: served ? 'served' : 'turned away', at })),
    })),
  })
}

/**
 * retries: a busy service turns most calls away; the tasks come back after growing waits, together or spread by jitter
 *
 *     pnpm --filter 04-celery start retries
 *     pnpm --filter 04-celery start retries --tasks 100 --calls 10
 *
 * The service is simulated: a counter in Redis that lets a few calls through in each tenth of a second. Both runs have
 * the same back-off, 100 ms doubled up to 1.6 s. In the second run each task waits a random part of that.
 *
 * Look for: how many calls are in vain without jitter, because the tasks that were turned away together return
 * together; the picture shows them as columns.
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

    // Both tasks are defined with `retries: { max: 12, baseMs: 100, maxMs: 1_600 }`; the first one adds `jitter:
    // false`.
    const runs: Run[] = []
    for (const [name, task] of Object.entries({ 'no jitter': callTogether, 'full jitter': callWithJitter })) {
      // Every try of a task is an event.
      const started = new Map<string, number[]>()
      await using _listening = await listen(client, ['default'], ({ type, id, at }) => {
        if (type === 'started') started.set(id, [...(started.get(id) ?? []), at.getTime()])
        if (type === 'succeeded') bar.update(++done)
      })
      const args = { key: `${client.prefix}:service:${randomUUID()}`, calls, windowMs }
      const begin = Date.now()
      const sent = await client.sendMany(task, Array<typeof args>(tasks).fill(args))
      const results = await gather(sent, { timeoutMs: 60_000, signal })
      // The last try of a task is the one that was served; its result says when that was.
      const attempts = results.map(({ attempt }) => attempt)
      const marks = sent.flatMap(({ id }, task) =>
        (started.get(id) ?? []).map((at, tries) => ({
          kind: tries + 1 === attempts[task] ? ('served' as const) : ('turned away' as const),
          at: at - begin,
        })),
      )
      const tries = attempts.reduce((sum, attempt) => sum + attempt, 0)
      const ms = Math.max(...results.map(({ at }) => at)) - begin
      runs.push({ name, tries, inVain: tries - tasks, most: Math.max(...attempts), ms, marks })
    }
    print(
      table(
        ['', 'calls', 'in vain', 'most by one task', 'all served after'],
        runs.map(({ name, tries, inVain, most, ms }) => [name, count(tries), count(inVain), most, milliseconds(ms)]),
      ),
      '',
    )
    const leastMs = (Math.ceil(tasks / calls) - 1) * windowMs
    print(`A service that is never called in vain would need ${milliseconds(leastMs)}.`)
    const path = await picture('retries.svg', draw(runs, { tasks, calls }))
    print(`Picture: ${path}`)
    const policies = runs.map(({ marks: _, ...policy }) => policy)
    return { tasks, calls, windowMs, leastMs, policies, picture: path }
  },
  figure: ({ policies: [together, jitter] }) =>
    `${together?.inVain} calls in vain without jitter, ${jitter?.inVain} with it`,
})

interface Run {
  name: string
  tries: number
  inVain: number
  most: number
  ms: number
  marks: { kind: 'served' | 'turned away'; at: number }[]
}

/** A row for each run, with a stroke for each call. */
function draw(runs: Run[], { tasks, calls }: { tasks: number; calls: number }): string {
  return timeline({
    title: 'Tasks that call a busy service',
    subtitle: `${tasks} tasks; the service, a simulation, serves ${calls} calls in each tenth of a second`,
    rowHeight: 60,
    kinds: { 'turned away': { look: 'tick', color: palette[1] }, served: { look: 'tick', color: palette[2] } },
    rows: runs,
  })
}

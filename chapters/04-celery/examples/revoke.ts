/**
 * revoke: any program can revoke tasks: waiting ones never begin, and running ones can be stopped
 *
 *     pnpm --filter 04-celery start revoke
 *
 * A revoked task that waits, or is scheduled, runs on no worker, not even on one that starts later. A running task
 * continues, as in Celery, unless termination is requested: then its signal is aborted and its place is free at once.
 *
 * Look for: how soon the running task ends after it was revoked; and that the other running one was not disturbed.
 */
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeError } from '@repo/common/example/usage'
import { milliseconds, table } from '@repo/common/output/terminal'
import { openClient } from '../src/queue/client.ts'
import { active } from '../src/queue/control.ts'
import { revoke } from '../src/queue/revoke.ts'
import { startSystem } from '../src/system.ts'
import { nap } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    ms: wholeNumber(200, 60_000).default(1_500).describe('ms that each task takes'),
  },
  quick: { ms: 800 },

  async run({ ms }, { signal, print }) {
    // One worker with two places: the first two tasks run, the next two wait, and the last one is scheduled.
    await using system = await startSystem({ workers: 1, args: ['--concurrency', '2'], alone: true, signal })
    const { client } = system
    await using other = await openClient({ url: system.redis.url, prefix: client.prefix })
    const [spared, stopped] = [await client.send(nap, { ms }), await client.send(nap, { ms: 600_000 })]
    const [waiting, untouched] = [await client.send(nap, { ms }), await client.send(nap, { ms: 1 })]
    const later = await client.send(nap, { ms }, { countdownMs: 3_600_000 })
    await until(async () => (await active(client)).length === 2, { signal, what: 'two running tasks' })
    const plan = [
      { result: spared, what: 'revoked, not stopped' },
      { result: stopped, what: 'revoked and stopped' },
      { result: waiting, what: 'revoked' },
      { result: later, what: 'revoked' },
      { result: untouched, what: 'nothing' },
    ]
    const before = await Promise.all(plan.map(({ result }) => result.state()))
    print(`Five tasks on one worker with two places. Another client revokes four of them …`, '')

    // Another program needs only the ids.
    const byId = (...ids: string[]) => ids.map((id) => other.result(id))
    await revoke(other, byId(spared.id, waiting.id, later.id))

    // Only `terminate` stops a running task.
    const start = performance.now()
    await revoke(other, byId(stopped.id), { terminate: true })
    await stopped.settled({ signal })
    const stoppedMs = performance.now() - start

    const tasks = []
    for (const [at, { result, what }] of plan.entries()) {
      const outcome = await result.get({ timeoutMs: 120_000, signal }).then(
        () => 'ran to its end',
        (error: unknown) => describeError(error).replace('error: ', ''),
      )
      tasks.push({ was: before[at] ?? '', what, is: await result.state(), outcome })
    }
    print(
      table(
        ['was', 'done to it', 'is', 'outcome'],
        tasks.map(({ was, what, is, outcome }) => [was, what, is, outcome]),
      ),
      '',
      `The running task had ended ${milliseconds(stoppedMs)} after it was revoked, of the 10 minutes it wanted.`,
    )
    return { tasks, stoppedMs }
  },
  figure: ({ tasks, stoppedMs }) =>
    `${tasks.filter(({ is }) => is === 'revoked').length} tasks revoked, a running one within ${milliseconds(stoppedMs)}`,
})

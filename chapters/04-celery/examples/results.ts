/**
 * results: how a task can end: with a result, with an error and the worker's stack, not yet, or with nothing kept of it
 *
 * Run it, from anywhere in the repository; it starts Redis and, for the second part, a worker itself:
 *
 *     pnpm --filter 04-celery start results
 *
 * The first part has no worker, on purpose: a queue takes tasks whether or not a worker runs, so waiting without a
 * timeout may last for ever.
 *
 * Look for: the wait that ends in time, what purging returns, and in which file the error was thrown.
 */
import { basename } from 'node:path'
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeError } from '@repo/common/example/usage'
import { howMany, milliseconds, table } from '@repo/common/output/terminal'
import { TaskFailed } from '../src/queue/errors.ts'
import type { Outcome, TaskResult } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { echo } from '../src/tasks/index.ts'
import { convert } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    timeout: wholeNumber(1, 60_000).default(1_000).describe('ms that the wait without a worker lasts'),
    tasks: wholeNumber(1, 10_000).default(100).describe('how many tasks are sent and purged'),
  },
  quick: { timeout: 300 },

  async run({ timeout, tasks }, { signal, print }) {
    // With its own keys, so that no running worker takes the tasks before they are purged.
    await using system = await startSystem({ workers: 0, alone: true, signal })
    const { client } = system
    const outcomeOf = async (result: TaskResult, timeoutMs = 10_000) =>
      String(await result.get({ timeoutMs, signal }).catch(describeError))

    // Sending works without a worker; waiting needs a timeout.
    print('Without a worker')
    const texts = Array.from({ length: tasks }, (_, at) => ({ text: `message ${at}` }))
    const [first] = (await client.sendMany(echo, texts)) as [TaskResult<string>]
    const start = performance.now()
    const ended = await outcomeOf(first, timeout)
    const waitedMs = performance.now() - start
    print(`  the wait ended after ${milliseconds(waitedMs)}: ${ended}`)

    // Purging removes the waiting tasks, and ends the waits for them.
    const purged = await client.purge('default')
    const purgedState = await first.state()
    print(`  purged ${howMany(purged, 'task')}; the first one is now ${purgedState}`)
    const gone = await outcomeOf(first)
    print(`  waiting for it: ${gone}`, '')

    print('With a worker')
    await system.startWorker()
    const rows: { task: string; state: string; outcome: string }[] = []
    const show = async (task: string, result: TaskResult) => {
      const outcome = await outcomeOf(result)
      rows.push({ task, state: await result.state(), outcome })
    }
    // A result, and an error.
    await show('convert 100 at 1.25', await client.send(convert, { amount: 100, rate: 1.25 }))
    const failing = await client.send(convert, { amount: 100, rate: 0 })
    await show('convert 100 at 0', failing)
    // Any program that knows the id can ask.
    await show('the same, asked for by its id', client.result(failing.id, { task: 'convert' }))
    // Nothing is kept of an ignored result, nor of a forgotten one.
    const ignored = await client.send(convert, { amount: 100, rate: 2 }, { ignoreResult: true })
    await until(async () => (await ignored.state()) === 'unknown', { signal, what: 'the end of the task' })
    await show('convert, result ignored', ignored)
    const forgotten = await client.send(convert, { amount: 100, rate: 4 })
    await forgotten.get({ timeoutMs: 10_000, signal })
    await forgotten.forget()
    await show('convert, result forgotten', client.result(forgotten.id, { task: 'convert' }))
    print(
      table(
        ['task', 'state', 'get() returned, or threw'],
        rows.map(({ task, state, outcome }) => [task, state, outcome]),
      ),
      '',
    )

    // An error carries the worker's stack.
    const stack = framesOf(await failing.settled({ signal }))
    print('The stack, from the worker:', ...stack.map((line) => `  ${line}`))
    return { timeout, waitedMs, ended, purged, purgedState, gone, rows, stack }
  },
  figure: ({ waitedMs, purged }) =>
    `a wait without a worker ended after ${milliseconds(waitedMs)}; ${howMany(purged, 'task')} purged`,
})

/** The stack of a failed task, with only the frames in the task's own file. */
function framesOf(outcome: Outcome): string[] {
  if (outcome.ok || !(outcome.error instanceof TaskFailed)) return []
  const [head = '', ...frames] = outcome.error.remoteStack.split('\n')
  const own = frames.filter((frame) => frame.includes('/tasks/tour.ts'))
  return [head, ...own.map((frame) => frame.trim().replace(/\((.*):\d+\)$/, (_, at: string) => `(${basename(at)})`))]
}

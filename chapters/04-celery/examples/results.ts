/**
 * results: what becomes of a task: a result, an error with the worker's stack, nothing yet, nothing any more
 *
 * Run it, from anywhere in the repository; it starts Redis and, for the second part, a worker itself:
 *
 *     pnpm --filter 04-celery start results
 *
 * The first part has no worker at all, on purpose: a queue takes tasks whether anybody works or not, so whoever waits
 * without a timeout may wait for ever.
 *
 * Look for: the wait that ends in time, what purging returns, and in which file the error was thrown.
 */
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeError } from '@repo/common/example/usage'
import { milliseconds, table } from '@repo/common/output/terminal'
import type { Client } from '../src/queue/client.ts'
import { TaskFailed } from '../src/queue/errors.ts'
import type { TaskResult } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { echo } from '../src/tasks/index.ts'
import { convert } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {
    timeout: wholeNumber(1, 60_000).default(1_000).describe('milliseconds that the wait without a worker lasts'),
    tasks: wholeNumber(1, 10_000).default(100).describe('how many tasks are sent and purged'),
  },
  quick: { timeout: 300 },

  async run({ timeout, tasks }, { signal, print }) {
    // On a queue's own Redis or prefix, so that no running worker takes the tasks before they are purged.
    await using system = await startSystem({ workers: 0, alone: true, signal })
    const { client } = system

    print('Without a worker')
    const sent = await client.sendMany(
      echo,
      Array.from({ length: tasks }, (_, at) => ({ text: `message ${at}` })),
    )
    const [first] = sent as [TaskResult<string>]
    const start = performance.now()
    const ended = await first.get({ timeoutMs: timeout, signal }).catch((error: unknown) => describeError(error))
    const waitedMs = performance.now() - start
    print(`  the wait ended after ${milliseconds(waitedMs)}: ${ended}`)
    const purged = await client.purge('default')
    const purgedState = await first.state()
    print(`  purged ${purged} tasks; the first one is now ${purgedState}`)
    const gone = await first.get({ timeoutMs: 10_000, signal }).catch((error: unknown) => describeError(error))
    print(`  waiting for it: ${gone}`, '')

    print('With a worker')
    await system.startWorker()
    const rows: { task: string; state: string; outcome: string }[] = []
    const show = async (task: string, result: TaskResult) => {
      const outcome = await result.get({ timeoutMs: 10_000, signal }).catch((error: unknown) => describeError(error))
      rows.push({ task, state: await result.state(), outcome: String(outcome) })
    }
    await show('convert 100 at 1.25', await client.send(convert, { amount: 100, rate: 1.25 }))
    const failing = await client.send(convert, { amount: 100, rate: 0 })
    await show('convert 100 at 0', failing)
    await show('the same, asked for by its id', client.result(failing.id, { task: 'convert' }))
    const ignored = await client.send(convert, { amount: 100, rate: 2 }, { ignoreResult: true })
    // Nobody is told of its end; when it is there, nothing of it is left.
    while ((await ignored.state()) !== 'unknown') await delay(10, undefined, { signal })
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
    const stack = await remoteStack(client, failing.id)
    print('The stack, from the worker:', ...stack.map((line) => `  ${line}`))
    return { timeout, waitedMs, ended: String(ended), purged, purgedState, gone: String(gone), rows, stack }
  },
  figure: ({ waitedMs, purged }) =>
    `a wait without a worker ended after ${milliseconds(waitedMs)}; ${purged} tasks purged`,
})

/** The frames of a failed task in files of this chapter, as `function (file:line)`. */
async function remoteStack(client: Client, id: string): Promise<string[]> {
  const outcome = await client.result(id).settled()
  if (outcome.ok || !(outcome.error instanceof TaskFailed)) return []
  const [head = '', ...frames] = outcome.error.remoteStack.split('\n')
  const own = frames.filter((frame) => frame.includes('tour-tasks'))
  return [
    head,
    ...own.map((frame) => frame.trim().replace(/\((.*):\d+\)$/, (_, place: string) => `(${basename(place)})`)),
  ]
}

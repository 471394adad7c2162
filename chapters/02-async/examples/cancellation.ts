/**
 * cancellation: one signal ends work in every layer, time-outs compose, and a task group leaves nothing running
 *
 *     pnpm --filter 02-async start cancellation
 *     pnpm --filter 02-async start cancellation --tasks 50 --timeout 200
 *
 * Look for: what is still running on the server when Promise.all has failed, and when a task group has; and what this
 * process still holds at the end.
 */
import { setImmediate } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { bold, milliseconds, table } from '@repo/common/output/terminal'
import { startSlowServer } from '../src/pages/slow-server.ts'
import { layers } from '../src/tasks/layers.ts'
import { taskGroup } from '../src/tasks/task-group.ts'

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 1_000).default(5).describe('requests that wait while another task fails'),
    timeout: wholeNumber(10, 10_000).default(100).describe('length of the time-outs in ms'),
  },

  async run({ tasks, timeout }, { signal, print }) {
    await using server = await startSlowServer({ seed: 1, latencyMs: 100, failRate: 0 }, signal)
    // What its start needed is closed after a turn of the loop.
    await setImmediate()
    const atTheBeginning = activeResources()
    const serverHas = async (open: number) => {
      const has = async () => (await server.openRequests()) === open
      await until(has, { what: `${open} requests at the server`, everyMs: 2, signal })
    }

    // One signal, handed to everything that waits: a timer, a request, a process, a thread …
    print(bold('One signal, every layer'))
    const controller = new AbortController()
    const either = AbortSignal.any([signal, controller.signal])
    let abortedAt = 0
    const running: Promise<void>[] = []
    const ending = Object.entries(layers).map(async ([name, run]) => {
      const started = Promise.withResolvers<void>()
      running.push(started.promise)
      const error: unknown = await run(server.url, either, started.resolve).catch((reason: unknown) => reason)
      started.resolve()
      return { name, ms: performance.now() - abortedAt, error: error instanceof Error ? error.name : 'none' }
    })
    await Promise.all(running)
    await serverHas(1)
    abortedAt = performance.now()
    controller.abort()
    const ended = await Promise.all(ending)
    signal.throwIfAborted()
    print(
      table(
        ['layer', 'ended after', 'with'],
        ended.map(({ name, ms, error }) => [name, milliseconds(ms), error]),
      ),
    )

    // Several signals become one: a time-out for a step, a longer one for the whole, and the caller's own.
    print('', bold('Time-outs compose: the first of several signals wins'))
    const hang = async (...signals: AbortSignal[]) => {
      const start = performance.now()
      const first = AbortSignal.any([signal, ...signals])
      const error = await fetch(`${server.url}/hang`, { signal: first }).catch((reason: Error) => reason)
      signal.throwIfAborted()
      return { ms: performance.now() - start, reason: error instanceof Error ? error.message : 'none' }
    }
    const composed: Record<string, Awaited<ReturnType<typeof hang>>> = {}
    composed['timeout(t)'] = await hang(AbortSignal.timeout(timeout))
    composed['any(timeout(t), timeout(2t))'] = await hang(
      AbortSignal.timeout(timeout),
      AbortSignal.timeout(2 * timeout),
    )
    const caller = new AbortController()
    const both = () => hang(caller.signal, AbortSignal.timeout(2 * timeout))
    setTimeout(() => caller.abort(new Error('the caller has lost interest')), timeout)
    composed['any(caller, timeout(2t)), the caller gives up'] = await both()
    composed['the same signal again'] = await both()
    print(
      table(
        [`t = ${timeout} ms`, 'ended after', 'because'],
        Object.entries(composed).map(([name, { ms, reason }]) => [name, milliseconds(ms), reason]),
      ),
    )
    await serverHas(0)

    // Promise.all reports the first failure. What happens to the others is up to the caller.
    print('', bold(`${tasks} requests wait, another task fails`))
    const request = (own: AbortSignal) => fetch(`${server.url}/hang`, { signal: AbortSignal.any([signal, own]) })
    const failing = async () => {
      await serverHas(tasks)
      throw new Error('this one fails')
    }
    const stop = new AbortController()
    // #region all
    const requests = Array.from({ length: tasks }, () => request(stop.signal))
    const settled = Promise.allSettled(requests)
    const allError = await Promise.all([...requests, failing()]).catch((error: Error) => error.message)
    signal.throwIfAborted()
    const openAfterAll = await server.openRequests()
    // #endregion all
    print(`  Promise.all fails with "${allError}"; the server is still busy with ${openAfterAll} requests.`)
    stop.abort()
    await settled
    await serverHas(0)

    // A task group cancels the others, and waits until they have ended.
    // #region group
    const group = taskGroup(
      async (group) => {
        for (let at = 0; at < tasks; at++) group.run(request)
        await group.run(failing)
      },
      { signal },
    )
    // #endregion group
    const groupError = await group.catch((error: Error) => error.message)
    signal.throwIfAborted()
    // The server hears of a closed connection a moment after this process has closed it.
    const groupEnded = performance.now()
    await serverHas(0)
    const openAfterGroup = await server.openRequests()
    const heard = milliseconds(performance.now() - groupEnded)
    print(`  A task group fails with "${groupError}"; the server is busy with ${openAfterGroup} (${heard} later).`)

    print('', bold('Still running in this process'))
    // Closed resources disappear after a turn of the loop or two.
    const what = `no more left than ${atTheBeginning}`
    await until(() => activeResources() === atTheBeginning, { what, everyMs: 2, signal })
    const atTheEnd = activeResources()
    print(`  at the beginning: ${atTheBeginning}`, `  at the end:       ${atTheEnd}`)
    return { ended, composed, openAfterAll, openAfterGroup, allError, groupError, atTheBeginning, atTheEnd }
  },
  figure: ({ ended, openAfterAll, openAfterGroup }) =>
    `${ended.length} layers end by one signal; left running: Promise.all ${openAfterAll}, task group ${openAfterGroup}`,
})

/** What keeps this process alive, each kind with its number: `1 ProcessWrap, 4 PipeWrap`. */
function activeResources(): string {
  // An immediate is due in this very turn of the loop; the question itself may have caused it.
  const lasting = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate')
  const kinds = Object.entries(Object.groupBy(lasting, (kind) => kind))
  return kinds
    .map(([kind, all = []]) => `${all.length} ${kind}`)
    .sort()
    .join(', ')
}

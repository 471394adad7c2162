/**
 * cancellation: one signal ends work in every layer, time-outs compose, and a task group leaves nothing running
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 02-async start cancellation
 *     pnpm --filter 02-async start cancellation --tasks 50 --timeout 200
 *
 * Look for: what is still running on the server when Promise.all has failed, and when a task group has; and what this
 * process still holds in the end.
 */

import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { bold, milliseconds, table } from '@repo/common/output/terminal'
import { startSlowServer } from '../src/pages/slow-server.ts'
import { layers } from '../src/tasks/layers.ts'
import { activeResources } from '../src/tasks/leftovers.ts'
import { taskGroup } from '../src/tasks/task-group.ts'

export default example(import.meta, {
  options: {
    tasks: wholeNumber(1, 1_000).default(5).describe('requests that wait while another task fails'),
    timeout: wholeNumber(10, 10_000).default(100).describe('ms of the time-outs'),
  },

  async run({ tasks, timeout }, { signal, print }) {
    await using server = await startSlowServer({ seed: 1, latencyMs: 100, failRate: 0 }, signal)
    const atTheBeginning = activeResources()
    const serverHas = (open: number) =>
      until(async () => (await server.openRequests()) === open, {
        what: `${open} requests at the server`,
        everyMs: 2,
        signal,
      })

    print(bold('One signal, every layer'))
    const controller = new AbortController()
    const anySignal = AbortSignal.any([signal, controller.signal])
    let abortedAt = 0
    const started: Promise<void>[] = []
    const ending = Object.entries(layers).map(async ([name, run]) => {
      const running = Promise.withResolvers<void>()
      started.push(running.promise)
      const error: unknown = await run(server.url, anySignal, running.resolve).catch((reason: unknown) => reason)
      running.resolve()
      return { name, ms: performance.now() - abortedAt, error: error instanceof Error ? error.name : 'none' }
    })
    await Promise.all(started)
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

    print('', bold('Time-outs compose: the first of several signals wins'))
    const caller = new AbortController()
    const hang = async (...signals: AbortSignal[]) => {
      const start = performance.now()
      const either = AbortSignal.any([signal, ...signals])
      const error = await fetch(`${server.url}/hang`, { signal: either }).catch((reason: Error) => reason)
      signal.throwIfAborted()
      return { ms: performance.now() - start, reason: error instanceof Error ? error.message : 'none' }
    }
    const composed = {
      'timeout(t)': await hang(AbortSignal.timeout(timeout)),
      'any(timeout(t), timeout(2t))': await hang(AbortSignal.timeout(timeout), AbortSignal.timeout(2 * timeout)),
      'any(caller, timeout(2t)), the caller gives up': await (() => {
        setTimeout(() => caller.abort(new Error('the caller has lost interest')), timeout)
        return hang(caller.signal, AbortSignal.timeout(2 * timeout))
      })(),
      'the same signal again': await hang(caller.signal, AbortSignal.timeout(2 * timeout)),
    }
    print(
      table(
        [`t = ${timeout} ms`, 'ended after', 'because'],
        Object.entries(composed).map(([name, { ms, reason }]) => [name, milliseconds(ms), reason]),
      ),
    )

    print('', bold(`${tasks} requests wait, another task fails`))
    const failing = async () => {
      await serverHas(tasks)
      throw new Error('this one fails')
    }
    const request = (own: AbortSignal) => fetch(`${server.url}/hang`, { signal: AbortSignal.any([signal, own]) })
    await serverHas(0)

    const stop = new AbortController()
    const requests = Array.from({ length: tasks }, () => request(stop.signal))
    const settled = Promise.allSettled(requests)
    const allError = await Promise.all([...requests, failing()]).catch((error: Error) => error.message)
    signal.throwIfAborted()
    const openAfterAll = await server.openRequests()
    print(`  Promise.all fails with "${allError}"; the server is still busy with ${openAfterAll} requests.`)
    stop.abort()
    await settled
    await serverHas(0)

    const groupError = await taskGroup(
      async (group) => {
        for (let at = 0; at < tasks; at++) group.run(request)
        await group.run(failing)
      },
      { signal },
    ).catch((error: Error) => error.message)
    signal.throwIfAborted()
    // The server hears of a closed connection a moment after this process has closed it.
    const groupEnded = performance.now()
    await serverHas(0)
    const openAfterGroup = await server.openRequests()
    const heardMs = performance.now() - groupEnded
    print(
      `  A task group fails with "${groupError}"; the server is busy with ${openAfterGroup} (${milliseconds(heardMs)} later).`,
    )

    print('', bold('Still running in this process'))
    // What has been closed is gone after a turn of the loop or two.
    const what = `no more left than ${atTheBeginning}`
    await until(() => activeResources() === atTheBeginning, { what, everyMs: 2, signal })
    const atTheEnd = activeResources()
    print(`  at the beginning: ${atTheBeginning}`, `  at the end:       ${atTheEnd}`)
    return { ended, composed, openAfterAll, openAfterGroup, allError, groupError, atTheBeginning, atTheEnd }
  },
  figure: ({ ended, openAfterAll, openAfterGroup }) =>
    `${ended.length} layers end by one signal; left running: Promise.all ${openAfterAll}, task group ${openAfterGroup}`,
})

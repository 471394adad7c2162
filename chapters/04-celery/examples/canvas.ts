/**
 * canvas: tasks put together: group, chain, chord, chunks, starmap, link; and what a failure does to those above it
 *
 * Run it, from anywhere in the repository; it starts Redis and workers itself, or uses those of REDIS_URL:
 *
 *     pnpm --filter 04-celery start canvas
 *     pnpm --filter 04-celery start canvas --workers 4 --ms 500
 *
 * Each task waits a while, so that it is seen in the picture, and computes a little. How the shapes are sent stands in
 * src/canvas/shapes.ts; what they become in Redis, in src/canvas/canvas.ts.
 *
 * Look for: which tasks run side by side in the picture; and in the second table, the five things that can become of a task that
 * waits for one that fails.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import type { OnFailure } from '../src/canvas/canvas.ts'
import { failingChord, type Ran, ranAs, shapes } from '../src/canvas/shapes.ts'
import { startSystem } from '../src/system.ts'

/** In BullMQ's words. */
const options: Record<OnFailure, string> = {
  fail: 'failParentOnFailure',
  ignore: 'ignoreDependencyOnFailure',
  continue: 'continueParentOnFailure',
  remove: 'removeDependencyOnFailure',
  wait: '(its default)',
}

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker processes to start where none run'),
    ms: wholeNumber(0, 10_000).default(150).describe('how long a task waits'),
  },
  quick: { ms: 80 },

  async run({ workers, ms }, { signal, print, picture }) {
    // Two places in each worker: what could run side by side is seen to.
    await using system = await startSystem({ workers, args: ['--concurrency', '2'], signal })
    const { client, workerNames } = system
    print(`The shapes of canvas, on ${workerNames.length} worker processes …`)
    using bar = progress('running the shapes')

    const ran: { shape: string; result: unknown; tasks: Ran[]; ms: number }[] = []
    for (const [shape, send] of Object.entries(shapes(client, ms))) {
      bar.update(0, `running ${shape}`)
      const begin = performance.now()
      const sent = await send()
      const result = await sent.get({ signal }).catch((error: Error) => error.message)
      signal.throwIfAborted()
      const took = performance.now() - begin
      // What is above a task that failed is told so a moment later; what follows a task is there when that has ended.
      await Promise.all(sent.tasks.map((task) => task.settled({ signal })))
      const linked = []
      for (const { id } of sent.linked) {
        const follower = client.result(id)
        if ((await follower.state()) === 'unknown') continue
        await follower.settled({ signal })
        linked.push(follower)
      }
      const tasks = (await ranAs(client, [...sent.tasks, ...linked])).sort((a, b) => (a.begin ?? 0) - (b.begin ?? 0))
      ran.push({ shape, result, ms: took, tasks })
    }

    const failures = []
    for (const onFailure of Object.keys(options) as OnFailure[]) {
      bar.update(0, `a chord that fails: ${onFailure}`)
      const sent = await failingChord(client, onFailure, ms)
      const [body] = sent.roots
      const [, failing] = sent.tasks
      await failing?.settled({ signal })
      const result = onFailure === 'wait' ? null : await sent.get({ signal }).catch((error: Error) => error.message)
      const job = body && (await client.queue(body.queue).getJob(body.id))
      const told = Object.values((await job?.getIgnoredChildrenFailures()) ?? {})
      const state = await job?.getState()
      failures.push({ onFailure, option: options[onFailure], state, result, errorInBody: told[0] ?? null })
    }

    const { drawShapes } = await import('../src/canvas/picture.ts')
    const svg = drawShapes(ran, { workers: workerNames, ms })
    const result = { workers: workerNames.length, shapes: ran, failures, picture: await picture('canvas.svg', svg) }
    const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
    print(
      '',
      table(
        ['shape', 'messages', 'time', 'result'],
        ran.map(({ shape, tasks, ms, result }) => [shape, tasks.length, milliseconds(ms), text(result)]),
      ),
      '',
      'A chord of square 2, square 13, which fails, and square 3, which takes longest; its body is their sum.',
      table(
        ['onFailure', 'in BullMQ', 'the sum is', 'its result, or get() throws', 'the error, asked of the sum'],
        failures.map(({ onFailure, option, state, result, errorInBody }) => [
          onFailure,
          option,
          state ?? '',
          result === null ? '' : text(result),
          errorInBody ?? '',
        ]),
      ),
      '',
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ shapes, failures }) =>
    `${shapes.length} shapes; a failing task makes what waits for it ${[...new Set(failures.map(({ state }) => state))].join(', ')}`,
})

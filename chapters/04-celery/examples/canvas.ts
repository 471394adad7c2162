/**
 * canvas: tasks combined by group, chain, chord, starmap, chunks and link; and what a failing one does to the others
 *
 * Run it, from anywhere in the repository; it starts Redis and workers itself, or uses those of REDIS_URL:
 *
 *     pnpm --filter 04-celery start canvas
 *     pnpm --filter 04-celery start canvas --workers 4 --ms 500
 *
 * Each task computes a little, and waits a while to be visible in the picture.
 *
 * Look for: which tasks run side by side in the picture; and in the second table, the five things that can happen to a
 * task that waits for a failing one.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import {
  chain,
  chord,
  chunks,
  type Group,
  group,
  link,
  linkError,
  type Single,
  starmap,
  step,
} from '../src/canvas/canvas.ts'
import { apply } from '../src/canvas/plan.ts'
import type { Client } from '../src/queue/client.ts'
import type { TaskResult } from '../src/queue/results.ts'
import { signature } from '../src/queue/task.ts'
import { startSystem } from '../src/system.ts'
import { increment, noted, square, sum } from '../src/tasks/canvas.ts'

/** What can happen to a task that waits for a failing one, with BullMQ's names. */
const ways = {
  fail: 'failParentOnFailure',
  ignore: 'ignoreDependencyOnFailure',
  continue: 'continueParentOnFailure',
  remove: 'removeDependencyOnFailure',
  wait: '(its default)',
}

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker processes to start if none are running'),
    ms: wholeNumber(0, 10_000).default(150).describe('how long a task waits'),
  },
  quick: { ms: 80 },

  async run({ workers, ms }, { signal, print, picture }) {
    // Two places in each worker, so that tasks can run side by side.
    await using system = await startSystem({ workers, args: ['--concurrency', '2'], signal })
    const { client, workerNames } = system
    print(`The shapes of canvas, on ${howMany(workerNames.length, 'worker process')} …`)
    using bar = progress('running the shapes')

    // A signature is a task with its arguments, not yet sent.
    const squareOf = (n: number, wait = ms) => signature(square, { n, ms: wait })
    const numbers = Array.from({ length: 10 }, (_, at) => ({ n: at + 1, ms: ms / 5 }))
    // #region shapes
    const shapes: Record<string, Single | Group> = {
      // Side by side; the result is a list.
      group: group([squareOf(1), squareOf(2), squareOf(3), squareOf(4)]),
      // One after the other: a step gets the previous result as its argument `n`.
      chain: chain(squareOf(3), step(increment, 'n', { ms }), step(square, 'n', { ms })),
      // A group, then a body that gets the list of its results.
      chord: chord(group([squareOf(1), squareOf(2), squareOf(3)]), step(sum, 'numbers', { ms })),
      // A group inside a chain: both of its steps get the previous result.
      diamond: chain(
        squareOf(2),
        group([step(increment, 'n', { ms }), step(square, 'n', { ms })]),
        step(sum, 'numbers', { ms }),
      ),
      // One message, one task run ten times; then the same in messages of three.
      starmap: starmap(square, numbers),
      chunks: chunks(square, numbers, 3),
      // A task that is sent after another one succeeds, or after it fails.
      link: link(squareOf(5), step(noted, 'value')),
      linkError: linkError(chain(squareOf(13), step(increment, 'n', { ms })), step(noted, 'error')),
    }
    // #endregion shapes
    // `apply` sends all of a canvas or nothing; `get` waits for its result.
    const ran = []
    for (const [shape, canvas] of Object.entries(shapes)) {
      bar.update(0, `running ${shape}`)
      const begin = performance.now()
      const sent = await apply(client, canvas)
      const result = await sent.get({ signal }).catch((error: Error) => error.message)
      signal.throwIfAborted()
      const took = performance.now() - begin
      ran.push({ shape, result, ms: took, tasks: await tasksOf(client, sent, signal) })
    }

    // One task of this chord fails, after another has ended and while a third one runs.
    const failures = []
    for (const onFailure of Object.keys(ways) as (keyof typeof ways)[]) {
      bar.update(0, `a chord that fails: ${onFailure}`)
      const header = group([squareOf(2, ms / 5), squareOf(13, ms / 2), squareOf(3, 2 * ms)])
      const sent = await apply(client, chord(header, step(sum, 'numbers', { ms }), { onFailure }))
      await sent.tasks[1]?.settled({ signal })
      const result = onFailure === 'wait' ? null : await sent.get({ signal }).catch((error: Error) => error.message)
      const job = await client.queue('default').getJob(sent.roots[0]?.id ?? '')
      const [errorInBody = null] = Object.values((await job?.getIgnoredChildrenFailures()) ?? {})
      failures.push({ onFailure, option: ways[onFailure], state: await job?.getState(), result, errorInBody })
    }

    const path = await picture('canvas.svg', draw(ran, workerNames, ms))
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
        failures.map(({ onFailure, option, state = '', result, errorInBody }) => {
          return [onFailure, option, state, result === null ? '' : text(result), errorInBody ?? '']
        }),
      ),
      '',
      `Picture: ${path}`,
    )
    return { workers: workerNames.length, shapes: ran, failures, picture: path }
  },
  figure: ({ shapes, failures }) =>
    `${shapes.length} shapes; a failing task makes what waits for it ${[...new Set(failures.map(({ state }) => state))].join(', ')}`,
})

/** The tasks of a canvas that has ended, as Redis remembers them. */
async function tasksOf(client: Client, sent: { tasks: TaskResult[]; linked: TaskResult[] }, signal: AbortSignal) {
  // The tasks above a failed one hear of it a moment later.
  await Promise.all(sent.tasks.map((task) => task.settled({ signal })))
  const all = [...sent.tasks]
  for (const { id } of sent.linked) {
    // Only one of `link` and `linkError` was sent.
    const result = client.result(id)
    if ((await result.state()) === 'unknown') continue
    await result.settled({ signal })
    all.push(result)
  }
  const tasks = all.map(async ({ id }) => {
    const job = await client.queue('default').getJob(id)
    const { name = '', processedBy: worker = null, processedOn = null, finishedOn = null } = job ?? {}
    const [begin, end] = worker === null ? [null, null] : [processedOn, finishedOn]
    return { task: name.replace('canvas.', ''), state: await job?.getState(), worker, begin, end }
  })
  return (await Promise.all(tasks)).sort((a, b) => (a.begin ?? 0) - (b.begin ?? 0))
}

/** A row for each task, coloured by its worker. */
function draw(ran: { shape: string; tasks: Awaited<ReturnType<typeof tasksOf>> }[], workers: string[], ms: number) {
  const nameOf = new Map<string | null, string>(workers.map((worker, at) => [worker, `worker ${at + 1}`]))
  const rows = ran.flatMap(({ shape, tasks }) => {
    const start = Math.min(...tasks.flatMap(({ begin }) => begin ?? []))
    return tasks.map(({ task, state, worker, begin, end }, at) => {
      const kind = state === 'failed' ? 'failed' : (nameOf.get(worker) ?? 'another worker')
      const spans = begin === null || end === null ? [] : [{ kind, from: begin - start, to: end - start }]
      return { name: `${shape} ${at + 1}: ${task}`, spans }
    })
  })
  const failed = { failed: { color: palette[4] } }
  return timeline({
    title: 'Tasks of each shape as they ran',
    subtitle: `each shape from its own beginning; a task waits about ${ms} ms; those of starmap and chunks a fifth for each argument`,
    kinds: { ...Object.fromEntries([...nameOf.values()].map((name) => [name, {}])), 'another worker': {}, ...failed },
    rows,
  })
}

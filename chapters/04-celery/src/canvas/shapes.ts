/** The shapes of the example `canvas`, and how they ran as Redis remembers it. */

import type { Client } from '../queue/client.ts'
import type { TaskResult } from '../queue/results.ts'
import { signature } from '../queue/task.ts'
import { increment, noted, square, sum } from '../tasks/canvas.ts'
import {
  apply,
  type CanvasResult,
  chain,
  chord,
  chunks,
  group,
  link,
  linkError,
  type OnFailure,
  type Single,
  starmap,
  step,
} from './canvas.ts'

/** One task of a canvas as it ran. */
export interface Ran {
  task: string
  state: string
  /** The worker's name; null for a task that never ran. */
  worker: string | null
  /** In ms since 1970, by the worker's clock. */
  begin: number | null
  end: number | null
}

const squares = (numbers: readonly number[], ms: number) => group(numbers.map((n) => signature(square, { n, ms })))

/** Each shape with what it computes; every task in it takes about `ms`. */
export function shapes(client: Client, ms: number): Record<string, () => Promise<CanvasResult<unknown>>> {
  const list = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => ({ n: from + at, ms: ms / 5 }))
  return {
    group: async () => await apply(client, squares([1, 2, 3, 4], ms)),
    chain: async () =>
      await apply(
        client,
        chain(signature(square, { n: 3, ms }), step(increment, 'n', { ms }), step(square, 'n', { ms })),
      ),
    chord: async () => await apply(client, chord(squares([1, 2, 3], ms), step(sum, 'numbers', { ms }))),
    diamond: async () =>
      await apply(
        client,
        chain<number>(
          signature(square, { n: 2, ms }),
          group([step(increment, 'n', { ms }), step(square, 'n', { ms })]),
          step(sum, 'numbers', { ms }),
        ),
      ),
    starmap: async () => await apply(client, starmap(square, list(1, 10))),
    chunks: async () => await apply(client, chunks(square, list(1, 10), 3)),
    link: async () => await apply(client, link(signature(square, { n: 5, ms }), step(noted, 'value'))),
    linkError: async () =>
      await apply(
        client,
        linkError(chain(signature(square, { n: 13, ms }), step(increment, 'n', { ms })), step(noted, 'error')),
      ),
  }
}

/** A chord whose header has a task that fails: after one has ended, and while another one runs. */
export async function failingChord(client: Client, onFailure: OnFailure, ms: number): Promise<CanvasResult<unknown>> {
  const header = group([
    signature(square, { n: 2, ms: ms / 5 }),
    signature(square, { n: 13, ms: ms / 2 }),
    signature(square, { n: 3, ms: 2 * ms }),
  ])
  const body: Single<number> = chord(header, step(sum, 'numbers', { ms }), { onFailure })
  return await apply(client, body)
}

/** How the tasks ran; those that never began have no worker. */
export async function ranAs(client: Client, tasks: readonly TaskResult[]): Promise<Ran[]> {
  return await Promise.all(
    tasks.map(async ({ id, queue }) => {
      const [job, state] = await Promise.all([client.queue(queue).getJob(id), client.queue(queue).getJobState(id)])
      const worker = job?.processedBy ?? null
      const [begin = null, end = null] = worker === null ? [] : [job?.processedOn, job?.finishedOn]
      return { task: (job?.name ?? '').replace('canvas.', ''), state, worker, begin, end }
    }),
  )
}

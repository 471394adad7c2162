/** The shapes of canvas as a picture: a lane for each task, coloured by the worker that ran it. */

import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
import type { Ran } from './shapes.ts'

/**
 * @param workers their names, in the order of the legend
 * @param ms how long each task waits
 * @returns SVG text
 */
export function drawShapes(
  ran: readonly { shape: string; tasks: readonly Ran[] }[],
  { workers, ms }: { workers: readonly string[]; ms: number },
): string {
  const nameOf = new Map<string | null, string>(workers.map((name, at) => [name, `worker ${at + 1}`]))
  const rows = ran.flatMap(({ shape, tasks }) => {
    const start = Math.min(...tasks.map(({ begin }) => begin ?? Number.POSITIVE_INFINITY))
    return tasks.map(({ task, state, worker, begin, end }, at) => {
      const kind = state === 'failed' ? 'failed' : (nameOf.get(worker) ?? 'another worker')
      const ranAt = begin === null || end === null ? [] : [{ kind, from: begin - start, to: end - start }]
      return { name: `${shape} ${at + 1}: ${task}`, spans: ranAt }
    })
  })
  const failed = { failed: { color: palette[4] } }
  return timeline({
    title: 'Tasks of each shape as they ran',
    subtitle: `each shape from its own beginning; a task waits about ${ms} ms; those of starmap and chunks a fifth for each argument`,
    kinds: { ...Object.fromEntries(nameOf.values().map((name) => [name, {}])), 'another worker': {}, ...failed },
    rows,
  })
}

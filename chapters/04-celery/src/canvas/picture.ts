/** The shapes of canvas as a picture: a lane for each task, coloured by the worker that ran it. */

import { drawTimeline } from '@repo/common/output/timeline'
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
  const lanes = ran.flatMap(({ shape, tasks }) => {
    const start = Math.min(...tasks.map(({ begin }) => begin ?? Number.POSITIVE_INFINITY))
    return tasks.map(({ task, state, worker, begin, end }, at) => {
      const kind = state === 'failed' ? 'failed' : (nameOf.get(worker) ?? 'another worker')
      const ranAt = begin === null || end === null ? [] : [{ kind, begin: begin - start, end: end - start }]
      return { name: `${shape} ${at + 1}: ${task}`, bars: ranAt }
    })
  })
  const kinds = [...new Set(lanes.flatMap(({ bars }) => bars.map(({ kind }) => kind)))].sort(
    (a, b) => Number(a === 'failed') - Number(b === 'failed') || a.localeCompare(b),
  )
  return drawTimeline({
    title: 'Tasks of each shape as they ran',
    lanes,
    kinds,
    subtitle: `each shape from its own beginning; a task waits about ${ms} ms; those of starmap and chunks a fifth for each argument`,
  })
}

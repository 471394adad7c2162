/** What the work of a comparison takes without any queue, on one thread. */
import { setTimeout as delay } from 'node:timers/promises'
import { costOf } from '@repo/common/cost'
import { interleave } from '@repo/common/measure'
import type { Row, Work } from './compare.ts'
import { tasks as plainTasks } from './tasks.ts'

/**
 * Runs the small tasks as plain function calls, and the waiting ones on the event loop. Returns the COST of each kind:
 * the fewest workers with which a contender was faster.
 */
export async function costsOf(
  rows: Row[],
  { tasks, naps, napMs, signal }: Pick<Work, 'tasks' | 'naps' | 'napMs' | 'signal'>,
) {
  const { small } = await interleave(
    {
      small() {
        let sum = 0
        const begin = performance.now()
        for (let task = 0; task < tasks; task++) sum += Number(plainTasks.add.run(task, 1))
        const ms = performance.now() - begin
        if (sum !== (tasks * (tasks + 1)) / 2) throw new Error(`the plain calls add up to ${sum}`)
        return ms
      },
    },
    { signal },
  )
  const begin = performance.now()
  await Promise.all(Array.from({ length: naps }, () => delay(napMs, undefined, { signal })))
  const waitedMs = performance.now() - begin
  const runs = (msOf: (row: Row) => number | undefined) =>
    rows.map((row) => ({ workers: row.workers, ms: msOf(row) ?? Number.POSITIVE_INFINITY }))
  return {
    ...costOf(
      small.ms,
      runs(({ perSecond }) => (perSecond === undefined ? undefined : (1_000 * tasks) / perSecond)),
    ),
    waiting: costOf(
      waitedMs,
      runs(({ napsMs }) => napsMs),
    ),
  }
}

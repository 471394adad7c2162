/** Work cut into tasks, and who worked when: in pictures, in a table, and how long somebody had nothing to do. */
import { linePlot } from '@repo/common/output/plots'
import { count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import type { WorkerLog } from './primes.worker.ts'
import { type Schedule, schedules } from './schedule.ts'

/** A row for each worker under each schedule, with a box for each chunk. Returns SVG text. */
export function timeLines(logs: Map<Schedule, WorkerLog[]>): string {
  return timeline({
    title: 'Who counts when: a row for each worker, a box for each chunk',
    kinds: { static: {}, dynamic: {}, guided: {} },
    rows: schedules.flatMap((schedule) => {
      const done = (logs.get(schedule) ?? []).toSorted((a, b) => a.worker - b.worker)
      const beginMs = Math.min(...done.flatMap(({ chunks }) => chunks.map(({ beginMs }) => beginMs)))
      return done.map(({ worker, chunks }) => ({
        name: `${schedule} ${worker + 1}`,
        spans: chunks.map((chunk) => ({ kind: schedule, from: chunk.beginMs - beginMs, to: chunk.endMs - beginMs })),
      }))
    }),
  })
}

/** The share of the workers' time, until the last of them was done, in which they had no chunk. */
export function idleShare(logs: readonly WorkerLog[]): number {
  const busy = logs.map(({ chunks }) => chunks.reduce((sum, { beginMs, endMs }) => sum + endMs - beginMs, 0))
  return 1 - busy.reduce((sum, ms) => sum + ms, 0) / (logs.length * Math.max(...busy))
}

/** How the same work was cut, in how many tasks of how many numbers, and how long it took. */
export interface Cut {
  tasks: number
  chunk: number
  ms: number
}

/** In how many tasks to cut the work, from one to the most, each about three times the one before. */
export function cutCounts(most: number): number[] {
  const cuts = [1, 2, 4, 8, 16, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000, 320_000, 1_000_000]
  return [...cuts.filter((cut) => cut < most), most]
}

export function cutsTable(cuts: readonly Cut[], serialMs: number): string {
  return table(
    ['tasks', 'numbers in each', 'time', 'speedup'],
    cuts.map(({ tasks, chunk, ms }) => [
      count(tasks),
      count(Math.round(chunk)),
      milliseconds(ms),
      times(serialMs / ms),
    ]),
  )
}

/** The time over the number of tasks, beside one thread's and the best that the machine could do. Returns SVG text. */
export function valley(
  cuts: readonly Cut[],
  lines: { serialMs: number; bestMs: number },
  title: string,
  subtitle: string,
) {
  const level = (y: number) => cuts.map(({ tasks }) => ({ x: tasks, y }))
  return linePlot({
    title,
    subtitle,
    x: {
      label: 'tasks',
      type: 'log',
      ticks: cuts.map(({ tasks }) => tasks).filter((tasks) => Number.isInteger(Math.log10(tasks))),
      tickFormat: (tick) => count(Number(tick)),
    },
    y: { label: 'ms', type: 'log' },
    series: [
      { name: 'measured', points: cuts.map(({ tasks, ms }) => ({ x: tasks, y: ms })) },
      { name: 'one thread', style: 'dashed', points: level(lines.serialMs) },
      { name: 'the ceiling', style: 'dashed', points: level(lines.bestMs) },
    ],
  })
}

export function schedulesTable(
  compared: readonly { schedule: Schedule; ms: number; chunks: number; idle: number }[],
  serialMs: number,
): string {
  return table(
    ['schedule', 'time', 'speedup', 'chunks', 'workers idle'],
    compared.map(({ schedule, ms, chunks, idle }) => [
      schedule,
      milliseconds(ms),
      times(serialMs / ms),
      count(chunks),
      percent(idle),
    ]),
  )
}

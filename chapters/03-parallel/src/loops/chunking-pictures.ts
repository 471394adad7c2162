/** Work cut into tasks, and who worked when: in pictures, in a table, and how long somebody had nothing to do. */
import { draw, linePlot, Plot, palette } from '@repo/common/output/plots'
import { count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import type { WorkerLog } from './primes.worker.ts'
import { type Schedule, schedules } from './schedule.ts'

/** For each schedule a row for each worker, with a box for each chunk. Returns SVG text. */
export function timeLines(logs: Map<Schedule, WorkerLog[]>, workers: number): string {
  const boxes = [...logs].flatMap(([schedule, done]) => {
    const begin = Math.min(...done.flatMap(({ chunks }) => chunks.map(({ beginMs }) => beginMs)))
    return done.flatMap(({ worker, chunks }) =>
      chunks.map(({ beginMs, endMs }, at) => ({
        row: `${schedule} ${worker + 1}`,
        from: beginMs - begin,
        to: endMs - begin,
        color: palette[schedules.indexOf(schedule)],
        // Two shades, so that neighbours are told apart.
        opacity: at % 2 === 0 ? 1 : 0.6,
      })),
    )
  })
  const rows = schedules.flatMap((schedule) => Array.from({ length: workers }, (_, at) => `${schedule} ${at + 1}`))
  return draw({
    title: 'Who counts when: a row for each worker, a box for each chunk',
    x: { label: 'ms' },
    y: { label: '', type: 'band', domain: rows },
    height: 120 + 26 * rows.length,
    marginLeft: 90,
    marks: [Plot.barX(boxes, { x1: 'from', x2: 'to', y: 'row', fill: 'color', fillOpacity: 'opacity' })],
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

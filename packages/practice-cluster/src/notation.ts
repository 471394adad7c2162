/** What the four schedulers are called, and how they write times and task numbers. */

export const schedulerNames = ['slurm', 'pbs', 'torque', 'htcondor'] as const
export type SchedulerName = (typeof schedulerNames)[number]

/** A duration as `hh:mm:ss`, with as many digits for the hours as needed. */
export function clockTime(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
}

/** Task numbers as ranges in ascending order: `0-3,7,9-10`. */
export function taskRanges(tasks: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const task of tasks.toSorted((a, b) => a - b)) {
    const open = ranges.at(-1)
    if (open && task === open[1] + 1) open[1] = task
    else ranges.push([task, task])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** The task numbers in `0-3,7`, `0-99:10` or `0-99%5`; undefined for any other form, and for more than `most`. */
export function readTaskRanges(text: string, most = 10_000_000): number[] | undefined {
  const tasks: number[] = []
  // The number after % limits how many tasks run at once.
  for (const part of text.replace(/%\d+$/, '').split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part) ?? []
    if (first === undefined || Number(step) === 0) return undefined
    if (tasks.length + (Number(last) - Number(first)) / Number(step) >= most) return undefined
    for (let task = Number(first); task <= Number(last); task += Number(step)) tasks.push(task)
  }
  return tasks
}

/** The part of a job's script that is the same for every scheduler, and what the dialects write numbers with. */

import { quote } from '../ssh/quote.ts'
import type { JobDescription } from './job.ts'

export interface ScriptOptions {
  /** The scheduler's lines, below `#!/bin/sh`. */
  header: string[]
  /** What gives the task's number in the shell: a variable, `${SLURM_ARRAY_TASK_ID}`, or more. */
  taskId?: string
  /** Whether it runs where the scheduler begins it, which may be a folder of the node that holds copies. */
  staysThere?: boolean
  /** Whether the scheduler itself sends the script SIGTERM `warnSeconds` before the end. */
  warnsItself?: boolean
}

/**
 * A script that runs the command in its folder, writes what it prints to `<name>.out` and `<name>.err` (of an array:
 * `<name>.<task>.out`) while it runs, hands SIGTERM on to it, and leaves its exit code in `<name>.exit`.
 */
export function jobScript(job: JobDescription, { header, taskId, staysThere, warnsItself }: ScriptOptions): string {
  const { name, command, folder, array, environment = {}, resources = {}, warnSeconds } = job
  // As jobFiles calls them.
  const base = array ? `${name}.$TASK_ID` : name
  const lines = ['#!/bin/sh', ...header, '', ...(staysThere ? [] : [`cd ${quote(folder)} || exit 1`])]
  if (array) lines.push(`TASK_ID=${taskId}; export TASK_ID`)
  for (const [variable, value] of Object.entries(environment)) lines.push(`export ${variable}=${quote(value)}`)
  lines.push(`exec >"${base}.out" 2>"${base}.err"`, `rm -f "${base}.exit"`, '', `${command.map(quote).join(' ')} &`)
  lines.push('command=$!', `trap 'kill -TERM "$command" 2>/dev/null' TERM`)
  const { walltimeSeconds } = resources
  const warning = !warnsItself && warnSeconds !== undefined && walltimeSeconds !== undefined
  if (warning) {
    const seconds = Math.max(1, walltimeSeconds - warnSeconds)
    lines.push(
      '# Ends by itself: a timer that had to be killed could miss the signal while it starts, and stay for hours.',
      '# The clock, as so many sleeps would add up to more; a second at least, in which the command can begin to listen.',
      `( end=$(($(date +%s) + ${seconds})); sleep 1`,
      `  while kill -0 "$command" 2>/dev/null && [ "$(date +%s)" -lt "$end" ]; do sleep 1; done`,
      '  kill -TERM "$command" 2>/dev/null ) &',
    )
  }
  lines.push(
    'wait "$command"; code=$?',
    '# A signal that is trapped ends the wait, not the command.',
    'while kill -0 "$command" 2>/dev/null; do wait "$command"; code=$?; done',
    '# The wait it ended may have been the one that had just seen the end: 127 says no, and of -1 bash has lost the code.',
    '[ "$code" -le 128 ] || { wait "$command" 2>/dev/null; last=$?; case $last in 127 | -1) ;; *) code=$last ;; esac; }',
    '# Renamed when it is complete, so that nobody reads half of it.',
    `echo "$code" >"${base}.exit.new" && mv "${base}.exit.new" "${base}.exit"`,
    'exit "$code"',
    '',
  )
  return lines.join('\n')
}

/** A time as schedulers write it, `hh:mm:ss`, with as many hours as it takes. */
export function clockTime(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
}

/** Task numbers as schedulers write them, `0-3,7,9-10`, in rising order. */
export function taskRanges(tasks: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const task of tasks.toSorted((a, b) => a - b)) {
    const open = ranges.at(-1)
    if (open && task === open[1] + 1) open[1] = task
    else ranges.push([task, task])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** The task numbers in `0-3,7`, `0-99:10` or `0-99%5`; undefined for anything else. */
export function readTaskRanges(text: string): number[] | undefined {
  const tasks: number[] = []
  // What follows % is how many may run at once.
  for (const part of text.replace(/%\d+$/, '').split(',')) {
    const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part) ?? []
    if (first === undefined || Number(step) === 0 || Number(last) - Number(first) > 10_000_000) return undefined
    for (let task = Number(first); task <= Number(last); task += Number(step)) tasks.push(task)
  }
  return tasks
}

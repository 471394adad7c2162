/** The part of a job's script that is the same for every scheduler. */
import { quote } from '../ssh/quote.ts'
import type { JobDescription } from './job.ts'

export interface ScriptOptions {
  /** The scheduler's own lines, below `#!/bin/sh`. */
  header: string[]
  /** A shell expression for the task's number, such as `$SLURM_ARRAY_TASK_ID`. */
  taskId?: string
  /**
   * Whether the script stays in the folder where the scheduler starts it, which may be a folder of copies on the node.
   */
  staysThere?: boolean
  /** Whether the scheduler itself sends the script SIGTERM `warnSeconds` before the end. */
  warnsItself?: boolean
}

/**
 * Returns a script that runs the job's command in its folder. While the command runs, the script writes its output to
 * `<name>.out` and `<name>.err` (in an array `<name>.<task>.out`) and forwards SIGTERM to it. At the end the script
 * leaves the exit code in `<name>.exit`.
 */
export function jobScript(job: JobDescription, { header, taskId, staysThere, warnsItself }: ScriptOptions): string {
  const { name, command, folder, array, environment = {}, resources = {}, warnSeconds } = job
  // The same names as in jobFiles.
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
      '# The timer ends by itself: killing it could fail while it starts, and it would stay for hours.',
      '# It reads the clock, because sleeps add up to more; the first second lets the command begin to listen.',
      `( end=$(($(date +%s) + ${seconds})); sleep 1`,
      `  while kill -0 "$command" 2>/dev/null && [ "$(date +%s)" -lt "$end" ]; do sleep 1; done`,
      '  kill -TERM "$command" 2>/dev/null ) &',
    )
  }
  lines.push(
    'wait "$command"; code=$?',
    '# A trapped signal ends the wait, not the command.',
    'while kill -0 "$command" 2>/dev/null; do wait "$command"; code=$?; done',
    '# If the signal came just as the command ended, one more wait has its code; 127 and -1 (bash) mean: no new code.',
    '[ "$code" -le 128 ] || { wait "$command" 2>/dev/null; last=$?; case $last in 127 | -1) ;; *) code=$last ;; esac; }',
    '# Renamed once it is complete, so that nobody reads half of it.',
    `echo "$code" >"${base}.exit.new" && mv "${base}.exit.new" "${base}.exit"`,
    'exit "$code"',
    '',
  )
  return lines.join('\n')
}

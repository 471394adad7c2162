/** condor_submit for the practice queue: reads submit descriptions and writes the jobs' event logs. */
import { appendFileSync } from 'node:fs'
import { access, constants as modes, readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import { type Answer, type Call, CommandError, readMemory, readOptions, runInteractively } from '../commands.ts'
import type { Job, Moment, Task } from '../queue.ts'

/** HTCondor's long options begin with one minus. */
export const twoMinuses = (args: string[]) => args.map((word) => word.replace(/^-(?=[a-z]{2})/i, '--'))

interface Description {
  commands: Map<string, string>
  /** The variables of each process (a process is a task of the job). */
  rows: Record<string, string>[]
}

export async function submit(call: Call): Promise<Answer> {
  const options = readOptions('condor_submit', twoMinuses(call.args), {
    interactive: '!',
    terse: '!',
    'batch-name': '',
  })
  if (options.has('interactive')) return await interactive(call)
  const job = await submitFile(call, options.operands[0] ?? '', {})
  if (options.has('terse')) return { stdout: `${job.id}.0 - ${job.id}.${job.tasks.length - 1}\n` }
  return { stdout: `Submitting job(s).\n${job.tasks.length} job(s) submitted to cluster ${job.id}.\n` }
}

export async function submitFile(call: Call, file: string, notes: Record<string, unknown>): Promise<Job> {
  const path = resolve(call.folder, file)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) throw new CommandError(`ERROR: Can't open "${file}" for reading (No such file or directory)`)
  const { commands, rows } = readDescription(text)
  const folder = resolve(call.folder, commands.get('initialdir') ?? '.')
  const executable = commands.get('executable')
  if (executable === undefined) throw new CommandError("ERROR: No 'executable' parameter was provided")
  const program = resolve(folder, executable)
  await access(program, modes.X_OK).catch(() => {
    throw new CommandError(`ERROR: Executable file ${executable} does not exist or is not executable`)
  })
  const fill = (value: string, task: Task) => {
    const row: Record<string, string> = {
      ...rows[task.index ?? 0],
      Process: String(task.index),
      ProcId: String(task.index),
      Cluster: String(task.job.id),
      ClusterId: String(task.job.id),
    }
    return value.replaceAll(/\$\((\w+)\)/g, (whole, name: string) => row[name] ?? whole)
  }
  const log = commands.get('log')
  const removal = commands.get('periodic_remove') ?? ''
  const [, walltime] = /EnteredCurrentStatus > (\d+)/.exec(removal) ?? []
  const pool = /^Pool == "(.*)"$/.exec(commands.get('requirements') ?? '')?.[1]
  return call.queue.submit({
    name: commands.get('batch_name') ?? executable,
    folder,
    program: [program, ...(commands.get('arguments') ?? '').split(/\s+/).filter(Boolean)],
    demand: {
      nodes: Number(commands.get('machine_count') ?? 1),
      ranksPerNode: 1,
      // All machines are in one pool.
      coresPerNode:
        pool === undefined || pool === 'practice' ? Number(commands.get('request_cpus') ?? 1) : Number.MAX_SAFE_INTEGER,
      memoryMb: commands.has('request_memory') ? readMemory(commands.get('request_memory') ?? '') : undefined,
      walltimeMs: walltime === undefined ? undefined : Number(walltime) * 1000,
    },
    indices: rows.map((_, at) => at),
    environment: (task) => ({
      ...readEnvironment(fill(commands.get('environment') ?? '', task)),
      _CONDOR_SLOT: `slot1@${task.nodes[0]}`,
      PRACTICE_NODE: task.nodes[0] ?? '',
      PRACTICE_NODES: task.nodes.join(','),
    }),
    output: (task) => ({
      out: resolve(folder, fill(commands.get('output') ?? '/dev/null', task)),
      err: resolve(folder, fill(commands.get('error') ?? '/dev/null', task)),
    }),
    queue: 'practice',
    held: /^true$/i.test(commands.get('hold') ?? ''),
    requeue: !removal.includes('NumJobStarts > 0'),
    // A job that no machine can run waits, in case such a machine is added; so does one that asks for an unknown pool.
    mayWaitForEver: true,
    notes: {
      ...notes,
      tasks: rows.map((row) => row.TASK_ID),
      taskId: commands.has('+taskid'),
    },
    onChange: log === undefined ? undefined : (task) => writeEvent(resolve(folder, log), task),
  })
}

function readDescription(text: string): Description {
  const commands = new Map<string, string>()
  let rows: Record<string, string>[] | undefined
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, name, value] = /^\s*([\w+.]+)\s*=\s*(.*)$/.exec(line) ?? []
    const [, variable, items] = /^\s*queue\s+(\w+)\s+in\s+\(([^)]*)\)\s*$/i.exec(line) ?? []
    const [, count] = /^\s*queue\s*(\d*)\s*$/i.exec(line) ?? []
    if (variable !== undefined)
      rows = (items ?? '')
        .split(/[\s,]+/)
        .filter(Boolean)
        .map((item) => ({ [variable]: item }))
    else if (count !== undefined) rows = Array.from({ length: Number(count || 1) }, () => ({}))
    else if (name !== undefined && value !== undefined) commands.set(name.toLowerCase(), value.trim())
    else throw new CommandError(`ERROR: on Line 1 of submit file: illegal line "${line}"`)
  }
  if (!rows) throw new CommandError("ERROR: Submit file has no 'queue' command")
  return { commands, rows }
}

/** `"A=1 B='two words'"`. */
function readEnvironment(text: string): Record<string, string> {
  const inner = /^"(.*)"$/.exec(text)?.[1] ?? ''
  return Object.fromEntries(
    [...inner.matchAll(/(\w+)=('[^']*'|\S*)/g)].map(([, name = '', value = '']) => [name, value.replaceAll("'", '')]),
  )
}

/** Writes a task's change of state into the job's event log, in the form that HTCondor's own readers expect. */
function writeEvent(file: string, task: Task) {
  const { job, index = 0 } = task
  const pad = (value: number, width: number) => String(value).padStart(width, '0')
  const now = new Date()
  // As on the machine's clock, without a time zone.
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000)
  const [date = '', time = ''] = local.toISOString().split(/[T.]/)
  const head = `(${pad(job.id, 4)}.${pad(index, 3)}.000) ${date} ${time}`
  const text = eventsOf(task).map(([code, what]) => `${code} ${head} ${what}\n...\n`)
  if (text.length === 0) return
  try {
    appendFileSync(file, text.join(''))
  } catch {
    // The job's folder has gone.
  }
}

/** The numbers and texts of the events that a task's last change of state is in HTCondor. */
function eventsOf(task: Task): [code: string, what: string][] {
  const { state, outcome, history, nodes } = task
  const before = history.at(-2)?.state
  const events: [code: string, what: string][] = before ? [] : [['000', 'Job submitted from host: <login>']]
  const { HoldReason, HoldReasonCode } = holdOf(task)
  const held: [code: string, what: string] = [
    '012',
    `Job was held.\n\t${HoldReason}\n\tCode ${HoldReasonCode} Subcode 0`,
  ]
  if (state === 'running') events.push(['001', `Job executing on host: <${nodes[0]}>`])
  else if (state === 'held') events.push(held)
  else if (state === 'pending' && before === 'held')
    events.push(['013', 'Job was released.\n\tvia condor_release (by user practice)'])
  else if (state === 'pending' && before === 'running')
    events.push(['004', `Job was evicted.\n\t(0) Job was not checkpointed.\n${used('Run')}\n${sent('Run')}`])
  else if (state === 'ended') {
    const how =
      outcome?.how === 'exit'
        ? `(1) Normal termination (return value ${outcome.code})`
        : outcome?.how === 'signal'
          ? `(0) Abnormal termination (signal ${signalOf(outcome)})\n\t(0) No core file`
          : undefined
    const totals = [used('Run'), used('Total'), sent('Run'), sent('Total')].join('\n')
    if (how) events.push(['005', `Job terminated.\n\t${how}\n${totals}`])
    else if (outcome?.how === 'memory') events.push(held)
    else events.push(['009', `Job was aborted.\n\t${removeReason(task)}`])
  }
  return events
}

// Nothing is measured, but HTCondor cannot read an event without these lines.
const used = (what: string) =>
  ['Remote', 'Local'].map((where) => `\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  ${what} ${where} Usage`).join('\n')
const sent = (what: string) => ['Sent', 'Received'].map((way) => `\t0  -  ${what} Bytes ${way} By Job`).join('\n')

/** Why a task is held: by its user, or for the memory that it has used. */
export const holdOf = ({ outcome }: Moment) =>
  outcome?.how === 'memory'
    ? { HoldReasonCode: 34, HoldReason: 'Error from slot1: Job has gone over memory limit' }
    : { HoldReasonCode: 1, HoldReason: 'via condor_hold (by user practice)' }

export const signalOf = (outcome: Moment['outcome']) =>
  outcome?.how === 'signal' ? constants.signals[outcome.signal] : 0

export function removeReason({ outcome }: Moment): string {
  if (outcome?.how === 'timeout' || outcome?.how === 'node') {
    return 'The job attribute PeriodicRemove expression evaluated to TRUE'
  }
  return 'via condor_rm (by user practice)'
}

async function interactive(call: Call): Promise<Answer> {
  const submit = (onStart: (task: Task) => void) =>
    call.queue.submit({
      name: 'interactive',
      folder: call.folder,
      queue: 'practice',
      indices: [0],
      requeue: false,
      environment: () => ({}),
      demand: { nodes: 1, coresPerNode: 1, ranksPerNode: 1 },
      notes: {},
      onStart,
    })
  return await runInteractively(call, submit, {
    waiting: ({ id }) => `Submitting job(s).\n1 job(s) submitted to cluster ${id}.\nWaiting for job to start...\n`,
    ready: (_, task) => `Welcome to slot1@${task.nodes[0]}!\n`,
    run: ({ nodes: [node = ''] }) => ({
      command: ['sh'],
      environment: { _CONDOR_SLOT: `slot1@${node}`, PRACTICE_NODE: node },
    }),
  })
}

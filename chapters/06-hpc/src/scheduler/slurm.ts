/**
 * Slurm: sbatch, squeue, and sacct where accounting is on. Where it is off, squeue still lists a job for some minutes
 * after its end (MinJobAge); after that only the exit-code file knows how it ended.
 */
import { clockTime, readTaskRanges, taskRanges } from '@repo/practice-cluster/notation'
import { type Command, commandLine } from '../ssh/quote.ts'
import { hasEnded, type JobDescription, type JobState, type JobStatus, type SubmittedJob } from './job.ts'
import {
  type Dialect,
  dependencyWords,
  entryOf,
  type ListedJob,
  type NodeStatus,
  ParseError,
  question,
  readEach,
  shortened,
} from './scheduler.ts'
import { jobScript } from './script.ts'

/** @param accounting whether `sacct` answers */
export function slurm({ accounting }: { accounting: boolean }): Dialect {
  return {
    name: 'slurm',
    title: accounting ? 'Slurm' : 'Slurm, without accounting',
    // #region dialect
    files: (job) => [{ name: `${job.name}.sh`, text: jobScript(job, script(job)), executable: true }],
    submit: (job) => question(['sbatch', '--parsable', `${job.name}.sh`], readSubmitted),
    poll: accounting ? pollByAccounting : pollByQueue,
    list: ({ id }) => ['squeue', `--jobs=${id}`],
    cancel: ({ id }, tasks) => ['scancel', ...(tasks ? [`${id}_[${taskRanges(tasks)}]`] : [id])],
    hold: ({ id }) => ['scontrol', 'hold', id],
    release: ({ id }) => ['scontrol', 'release', id],
    // #endregion dialect
    why: ({ id }) => question(['scontrol', 'show', 'job', id], readReason),
    // %F: the array's id, for a task of an array.
    queue: () => question(['squeue', '--noheader', '--me', '--states=all', '--format=%F|%T|%r|%Z|%j'], readQueued),
    nodes: () => question(['sinfo', '--noheader', '--Node', '--format=%N|%T|%C|%m|%E'], readNodes),
    interactive: ({ walltimeSeconds, terminal }) => [
      ...(['srun', `--time=${clockTime(walltimeSeconds)}`] as const),
      ...(terminal ? ['--pty'] : []),
      'sh',
    ],
  }
}

function script(job: JobDescription) {
  const { resources: { cores, memoryMb, nodes, ranksPerNode = 1, walltimeSeconds, gpus } = {} } = job
  const options: Record<string, string | number | undefined> = {
    'job-name': job.name,
    partition: job.queue,
    nodes,
    'ntasks-per-node': nodes || ranksPerNode > 1 ? ranksPerNode : undefined,
    'cpus-per-task': cores && Math.max(1, Math.floor(cores / ranksPerNode)),
    mem: memoryMb && `${memoryMb}M`,
    'gpus-per-node': gpus,
    time: walltimeSeconds && clockTime(walltimeSeconds),
    array: job.array && taskRanges(job.array),
    dependency: job.dependencies?.map(({ on, when }) => `${dependencyWords[when]}:${on}`).join(',') || undefined,
    // Without it, a job whose condition can no longer come true waits for ever.
    'kill-on-invalid-dep': job.dependencies?.length ? 'yes' : undefined,
    signal: job.warnSeconds && `B:TERM@${job.warnSeconds}`,
    // Slurm's own messages, such as why it ended the job. The command's output goes elsewhere (script.ts).
    output: job.array ? `${job.name}.%a.log` : `${job.name}.log`,
  }
  const header = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`#SBATCH --${name}=${value}`],
  )
  if (job.requeue !== undefined) header.push(`#SBATCH --${job.requeue ? 'requeue' : 'no-requeue'}`)
  if (job.hold) header.push('#SBATCH --hold')
  return { header, taskId: '$SLURM_ARRAY_TASK_ID', warnsItself: true }
}

/** `123`, or `123;cluster` in a federation. */
function readSubmitted(stdout: string, command: Command): string {
  // The last one, because an account's start-up files may print numbers before it.
  const [, id] = [...stdout.matchAll(/^(\d+)(;[\w.-]+)?\s*$/gm)].at(-1) ?? []
  if (id === undefined) throw new ParseError(command, stdout, 'the number of the job')
  return id
}

const accountingFields = ['JobID', 'State', 'ExitCode', 'NodeList']
/**
 * The fields of -O, with their widths; -o has no field for the exit code. The nodes come last, because squeue does not
 * cut a list of nodes that is longer than its column.
 */
const queueFields = { JobArrayID: 30, State: 20, exit_code: 10, Reason: 40, NodeList: 40 }
const between = '--'

const queueCommand = (jobs: readonly SubmittedJob[]): Command => [
  'squeue',
  '--noheader',
  '--array',
  '--states=all',
  `--jobs=${idsOf(jobs)}`,
  `--Format=${Object.entries(queueFields)
    .map(([field, width]) => `${field}:${width}`)
    .join(',')}`,
]

const allForgotten = 'Invalid job id specified'

const pollByQueue: Dialect['poll'] = (jobs) => ({
  ...question(queueCommand(jobs), readQueue),
  nothing: ({ stderr }) => stderr.includes(allForgotten),
})

/**
 * Asks both with one command: accounting may lag behind the queue, and the queue forgets jobs some minutes after their
 * end.
 */
const pollByAccounting: Dialect['poll'] = (jobs) => {
  // -X: jobs without their steps.
  const sacct: Command = [
    'sacct',
    '-X',
    '--noheader',
    '--parsable2',
    `--jobs=${idsOf(jobs)}`,
    `--format=${accountingFields}`,
  ]
  // By default sacct cuts a list of task numbers after 64 bytes.
  const whole = commandLine(sacct, { environment: { SLURM_BITSTR_LEN: '0' } })
  // squeue fails once it has forgotten all of the jobs. As long as it answers, sacct may fail.
  const script = `${commandLine(queueCommand(jobs))} 2>&1; code=$?; echo "${between}"; ${whole} || exit "$code"`
  return {
    command: ['sh', '-c', script],
    nothing: ({ stdout }) => stdout.includes(allForgotten),
    parse(stdout) {
      const [queue, accounting, ...more] = `\n${stdout}`.split(`\n${between}\n`)
      if (queue === undefined || accounting === undefined || more.length > 0) {
        throw new ParseError(['squeue'], stdout, "squeue's list and that of sacct")
      }
      const lines = linesOf(queue)
      // What is left out is an error, or a site's own words: accounting has the jobs as well.
      const listed = lines.flatMap((line) => readQueueRow(line) ?? [])
      const forgotten = lines.filter((line) => line.includes(allForgotten))
      const errors = lines.filter((line) => /^\w+( error)?: /.test(line))
      const isList = lines.length === 0 || listed.length > 0 || forgotten.length > 0
      const isKnown = isList && errors.length === forgotten.length
      const older = readRows(accounting, sacct, accountingFields.length, ([id, state, exit, node]) =>
        accountedStatuses({ id, state, exit, node }, isKnown),
      )
      return merged(listed, older)
    },
  }
}

/**
 * Reads a row of accounting. `isKnown` says whether the queue's list is known. Where only accounting shows an open job,
 * it is back in the queue in a moment, or it was preempted for good, or nobody told accounting about its end.
 */
export function accountedStatuses(row: Row, isKnown: boolean): JobStatus[] | undefined {
  const statuses = toStatuses(row)
  if (!isKnown) return statuses
  const otherwise: JobState = row.state === 'PREEMPTED' ? 'cancelled' : 'failed'
  return statuses?.map((status) =>
    status.state === 'unknown' || hasEnded(status.state) ? status : { ...status, reason: row.state, otherwise },
  )
}

/** What the queue says, and what only accounting says. */
export function merged(listed: readonly JobStatus[], older: readonly JobStatus[]): JobStatus[] {
  const key = ({ id, task }: JobStatus) => `${id}_${task}`
  const known = new Set(listed.map(key))
  return [...listed, ...older.filter((status) => !known.has(key(status)))]
}

function readQueueRow(line: string): JobStatus[] | undefined {
  let at = 0
  const [id, state, code, reason] = Object.values(queueFields).map((width) => {
    at += width
    return line.slice(at - width, at).trim()
  })
  const node = line.slice(at - queueFields.NodeList).trim()
  const exit = code?.replace(/^\d+$/, (status) => exitOf(Number(status)))
  return toStatuses({ id, state, exit, node, reason })
}

/** A status as wait() gives it, with the exit code in the upper byte and a signal in the lower one, as sacct writes it. */
export const exitOf = (status: number) => `${status >> 8}:${status & 127}`

function readQueue(stdout: string, command: Command): JobStatus[] {
  const expected = `lines of ${Object.keys(queueFields).join(', ')}`
  return readEach(linesOf(stdout), readQueueRow, { command, stdout, expected })
}

const linesOf = (stdout: string) => stdout.split('\n').filter((line) => line.trim() !== '')

const idsOf = (jobs: readonly SubmittedJob[]) => jobs.map(({ id }) => id).join(',')

/** In a list; a row of few letters may name millions. */
const mostTasks = 100_000

interface Row {
  id?: string | undefined
  state?: string | undefined
  /** `0:9` for exit code 0 and signal 9; undefined where it was not asked for. */
  exit?: string | undefined
  node?: string | undefined
  reason?: string | undefined
}

/**
 * One row may stand for many waiting tasks: `123_[0-3,7%2]`, or `123_[0,2,...]` where the list was cut. Undefined for a
 * row without a job's id.
 */
export function toStatuses({ id = '', state = '', exit, node = '', reason }: Row): JobStatus[] | undefined {
  // The parts of a job that a site has split by kinds of nodes. The first one, `61+0`, runs the script.
  if (/^\d+\+[1-9]/.test(id)) return []
  const [, job, task, range] = /^(\d+)(?:\+0|_(\d+)|_\[([^\]]*)\]?)?$/.exec(id) ?? []
  if (job === undefined) return undefined
  const status: JobStatus = { id: job, state: stateOf(state, reason) }
  const [, code, signal] = /^(\d+):(\d+)$/.exec(exit ?? '') ?? []
  if (status.state === 'unknown' || (code === undefined && exit !== undefined)) {
    Object.assign(status, { state: 'unknown', unread: shortened([id, state, exit, reason].filter(Boolean).join(' ')) })
  } else if (code !== undefined && (status.state === 'completed' || status.state === 'failed')) {
    if (signal !== '0') status.signal = signal
    // FAILED with 0 means that the exit code is not known: its node never said it, or slurmdbd was down at that moment.
    else if (status.state === 'completed' || code !== '0') status.exitCode = Number(code)
  }
  if (node && node !== 'None assigned') status.node = node
  // For example `CANCELLED by 1000`.
  const why = reason && reason !== 'None' ? reason : state.includes(' ') ? state : undefined
  if (why) status.reason = why
  // A list that was cut, or is longer than any array of ours, stands for the array: those of its tasks that have a row
  // of their own are known by that.
  const tasks = range === undefined ? task && [Number(task)] : readTaskRanges(range, mostTasks)
  return tasks ? tasks.map((number) => ({ ...status, task: number })) : [status]
}

const states: Record<string, JobState> = {
  PENDING: 'queued',
  CONFIGURING: 'queued',
  // Not ends: the job is restarted after its node failed or another job needed its place.
  REQUEUED: 'queued',
  REQUEUE_FED: 'queued',
  PREEMPTED: 'queued',
  SPECIAL_EXIT: 'held',
  REQUEUE_HOLD: 'held',
  RESV_DEL_HOLD: 'held',
  RUNNING: 'running',
  // The command has ended, but its node is being cleaned up and its exit code may still change.
  COMPLETING: 'running',
  RESIZING: 'running',
  SIGNALING: 'running',
  STAGE_OUT: 'running',
  SUSPENDED: 'running',
  STOPPED: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  REVOKED: 'cancelled',
  TIMEOUT: 'timed out',
  DEADLINE: 'timed out',
  OUT_OF_MEMORY: 'out of memory',
  NODE_FAIL: 'node failed',
  BOOT_FAIL: 'node failed',
}

function stateOf(word: string, reason = ''): JobState {
  // `CANCELLED by 1000`; `COMPLETED+` where a narrow column cuts it off.
  const state = entryOf(states, word.replace(/ .*/, '').replace(/\+$/, '')) ?? 'unknown'
  // `launch failed requeued held` in squeue, with underscores in scontrol.
  return state === 'queued' && /^JobHeld|requeued.*held/i.test(reason) ? 'held' : state
}

function readQueued(stdout: string, command: Command): ListedJob[] {
  // A name may have several lines, of which only the first begins with a job's number.
  const [head = '', ...rows] = `\n${stdout}`.split(/\n(?=\d+\|)/)
  if (rows.length === 0 && head.trim() !== '') {
    throw new ParseError(command, stdout, 'id, state, reason, folder and name of jobs')
  }
  const jobs = readRows(rows, command, 5, ([id = '', state = '', reason = '', folder = '', name = '']) =>
    listedJob({ id, state, reason, folder, name }),
  )
  return onceEach(jobs)
}

/** The job of a row, unless it was refused because no node has what it asks for: it stays in the list for some minutes. */
export function listedJob({
  id,
  state,
  reason,
  folder,
  name,
}: Record<'id' | 'state' | 'reason' | 'folder' | 'name', string>): ListedJob[] {
  return state === 'FAILED' && reason === 'BadConstraints' ? [] : [{ id, name, state: stateOf(state, reason), folder }]
}

/** An array appears once for each of its running tasks. */
export const onceEach = (jobs: readonly ListedJob[]) => [...new Map(jobs.map((job) => [job.id, job])).values()]

function readReason(stdout: string, command: Command): string {
  const field = (name: string) => new RegExp(String.raw`(?:^|\s)${name}=(\S+)`).exec(stdout)?.[1]
  const state = field('JobState')
  if (state === undefined) throw new ParseError(command, stdout, 'JobState=')
  const dependency = field('Dependency')
  const waitsFor = dependency && dependency !== '(null)' ? `, waits for ${dependency}` : ''
  return `${state}, reason ${field('Reason') ?? 'not given'}${waitsFor}`
}

function readNodes(stdout: string, command: Command): NodeStatus[] {
  const read = ([name = '', word = '', cores = '', memory = '', why = '']: string[]) => {
    const [, inUse, , , total] = /^(\d+)\/(\d+)\/(\d+)\/(\d+)$/.exec(cores) ?? []
    if (total === undefined) return undefined
    const status: NodeStatus = {
      name,
      // `idle*`: the node does not answer. The other signs are about its power: `idle~` is asleep until a job needs it.
      state: word.endsWith('*') ? 'down' : (entryOf(nodeStates, word.replace(/[~#!%$@^+-]$/, '')) ?? 'unknown'),
      cores: Number(total),
      coresInUse: Number(inUse),
      ...(/^\d+$/.test(memory) ? { memoryMb: Number(memory) } : {}),
      detail: why === '' || why === 'none' ? word : `${word}, ${why}`,
    }
    return [status]
  }
  const nodes = readRows(stdout, command, 5, read)
  // A node appears once for each of its partitions.
  return [...new Map(nodes.map((node) => [node.name, node])).values()]
}

export const nodeStates: Record<string, NodeStatus['state']> = {
  idle: 'free',
  mixed: 'free',
  allocated: 'busy',
  completing: 'busy',
  down: 'down',
  drained: 'down',
  draining: 'down',
  fail: 'down',
  unknown: 'unknown',
}

/** Splits lines into cells, and reads each by itself. Only the last cell may contain the separator. */
function readRows<Found>(
  lines: string | readonly string[],
  command: Command,
  cells: number,
  read: (cells: string[]) => readonly Found[] | undefined,
): Found[] {
  const rows = typeof lines === 'string' ? linesOf(lines) : lines
  const readRow = (line: string) => {
    const row = line.trimEnd().split('|')
    return row.length < cells ? undefined : read([...row.slice(0, cells - 1), row.slice(cells - 1).join('|')])
  }
  return readEach(rows, readRow, { command, stdout: rows.join('\n'), expected: `${cells} cells in each line` })
}

/**
 * Slurm: sbatch, squeue, and sacct where accounting is on. Where it is off, squeue still lists a job for some minutes
 * after its end (MinJobAge); after that only the exit-code file knows how it ended.
 */
import { clockTime, readTaskRanges, taskRanges } from '@repo/practice-cluster/notation'
import { type Command, commandLine } from '../ssh/quote.ts'
import type { JobDescription, JobState, JobStatus, SubmittedJob } from './job.ts'
import { type Dialect, dependencyWords, type ListedJob, type NodeStatus, ParseError, question } from './scheduler.ts'
import { jobScript } from './script.ts'

/** @param accounting whether `sacct` answers */
export function slurm({ accounting }: { accounting: boolean }): Dialect {
  return {
    name: 'slurm',
    title: accounting ? 'Slurm' : 'Slurm, without accounting',
    files: (job) => [{ name: `${job.name}.sh`, text: jobScript(job, script(job)), executable: true }],
    submit: (job) => question(['sbatch', '--parsable', `${job.name}.sh`], readSubmitted),
    poll: accounting ? pollByAccounting : pollByQueue,
    list: ({ id }) => ['squeue', `--jobs=${id}`],
    cancel: ({ id }, tasks) => ['scancel', ...(tasks ? [`${id}_[${taskRanges(tasks)}]`] : [id])],
    hold: ({ id }) => ['scontrol', 'hold', id],
    release: ({ id }) => ['scontrol', 'release', id],
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
  const [, id] = /^(\d+)(;[\w.-]+)?\s*$/m.exec(stdout) ?? []
  if (id === undefined) throw new ParseError(command, stdout, 'the number of the job')
  return id
}

const accountingFields = ['JobID', 'State', 'ExitCode', 'NodeList']
/** The fields of -O, with their widths; -o has no field for the exit code. */
const queueFields = { JobArrayID: 30, State: 20, exit_code: 10, NodeList: 40, Reason: 40 }
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

const pollByQueue: Dialect['poll'] = (jobs) => ({
  ...question(queueCommand(jobs), readQueue),
  nothing: ({ stderr }) => /Invalid job id specified/.test(stderr),
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
  // squeue fails once it has forgotten all of the jobs.
  const script = `${commandLine(queueCommand(jobs))} 2>/dev/null; echo "${between}"; ${commandLine(sacct)}`
  return {
    command: ['sh', '-c', script],
    parse(stdout) {
      const [queue, accounting, ...more] = `\n${stdout}`.split(`\n${between}\n`)
      if (queue === undefined || accounting === undefined || more.length > 0) {
        throw new ParseError(['squeue'], stdout, "squeue's list and that of sacct")
      }
      const listed = readQueue(queue, queueCommand(jobs))
      const key = ({ id, task }: JobStatus) => `${id}_${task}`
      const known = new Set(listed.map(key))
      const older = readRows(accounting, sacct, accountingFields.length)
        .flatMap(([id, state, exit, node]) => toStatuses({ id, state, exit, node }, sacct))
        .filter((status) => !known.has(key(status)))
      return [...listed, ...older]
    },
  }
}

function readQueue(stdout: string, command: Command): JobStatus[] {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '')
  return lines.flatMap((line) => {
    let at = 0
    const [id, state, code, node, reason] = Object.values(queueFields).map((width) => {
      at += width
      return line.slice(at - width, at).trim()
    })
    if (!/^\d+$/.test(code ?? ''))
      throw new ParseError(command, stdout, `lines of ${Object.keys(queueFields).join(', ')}`)
    // The status as wait() gives it: the exit code in the upper byte, a signal in the lower one.
    const status = Number(code)
    return toStatuses({ id, state, exit: `${status >> 8}:${status & 127}`, node, reason }, command)
  })
}

const idsOf = (jobs: readonly SubmittedJob[]) => jobs.map(({ id }) => id).join(',')

interface Row {
  id?: string | undefined
  state?: string | undefined
  exit?: string | undefined
  node?: string | undefined
  reason?: string | undefined
}

/** One row may stand for many waiting tasks: `123_[0-3,7%2]`. */
function toStatuses(
  { id = '', state = '', exit = '', node = '', reason }: Row,
  command: Command = ['sacct'],
): JobStatus[] {
  const [, job, task, range] = /^(\d+)(?:_(\d+)|_\[([^\]]+)\])?$/.exec(id) ?? []
  const tasks = range === undefined ? (task === undefined ? undefined : [Number(task)]) : readTaskRanges(range)
  const [, code, signal] = /^(\d+):(\d+)$/.exec(exit) ?? []
  if (job === undefined || code === undefined || (range !== undefined && !tasks)) {
    throw new ParseError(command, [id, state, exit].join('|'), 'a job id, a state and an exit code')
  }
  const known = stateOf(state, reason)
  const status: JobStatus = { id: job, state: known }
  if (known === 'completed' || known === 'failed') {
    if (signal !== '0') status.signal = signal
    else status.exitCode = Number(code)
  }
  if (node && node !== 'None assigned') status.node = node
  // For example `CANCELLED by 1000`.
  const why = reason && reason !== 'None' ? reason : state.includes(' ') ? state : undefined
  if (why) status.reason = why
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
  const state = states[word.replace(/ .*/, '').replace(/\+$/, '')] ?? 'unknown'
  return state === 'queued' && /^JobHeld|^launch_failed_requeued_held|^job_requeued_in_held_state/i.test(reason)
    ? 'held'
    : state
}

function readQueued(stdout: string, command: Command): ListedJob[] {
  const jobs = readRows(stdout, command, 5).flatMap(([id = '', word = '', reason, folder, name = '']) => {
    // A job that sbatch refused because no node has what it asks for stays in the list for some minutes.
    if (word === 'FAILED' && reason === 'BadConstraints') return []
    if (!/^\d+$/.test(id)) throw new ParseError(command, stdout, 'id, state, reason, folder and name of jobs')
    return [{ id, name, state: stateOf(word, reason), folder }]
  })
  // An array appears once for each of its running tasks.
  return [...new Map(jobs.map((job) => [job.id, job])).values()]
}

function readReason(stdout: string, command: Command): string {
  const field = (name: string) => new RegExp(String.raw`(?:^|\s)${name}=(\S+)`).exec(stdout)?.[1]
  const state = field('JobState')
  if (state === undefined) throw new ParseError(command, stdout, 'JobState=')
  const dependency = field('Dependency')
  const waitsFor = dependency && dependency !== '(null)' ? `, waits for ${dependency}` : ''
  return `${state}, reason ${field('Reason') ?? 'not given'}${waitsFor}`
}

function readNodes(stdout: string, command: Command): NodeStatus[] {
  const nodes = readRows(stdout, command, 5).map(([name = '', word = '', cores = '', memory = '', why = '']) => {
    const [, inUse, , , total] = /^(\d+)\/(\d+)\/(\d+)\/(\d+)$/.exec(cores) ?? []
    if (total === undefined) throw new ParseError(command, stdout, 'cores as allocated/idle/other/total')
    const status: NodeStatus = {
      name,
      // `idle*`: the node does not answer.
      state: word.endsWith('*') ? 'down' : (nodeStates[word] ?? 'unknown'),
      cores: Number(total),
      coresInUse: Number(inUse),
      memoryMb: Number(memory),
      detail: why === '' || why === 'none' ? word : `${word}, ${why}`,
    }
    return status
  })
  // A node appears once for each of its partitions.
  return [...new Map(nodes.map((node) => [node.name, node])).values()]
}

const nodeStates: Record<string, NodeStatus['state']> = {
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

/** Splits lines into cells. Only the last cell may contain the separator. */
function readRows(stdout: string, command: Command, cells: number): string[][] {
  const rows = stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trimEnd().split('|'))
    .map((row) => (row.length > cells ? [...row.slice(0, cells - 1), row.slice(cells - 1).join('|')] : row))
  if (rows.some((row) => row.length !== cells)) throw new ParseError(command, stdout, `${cells} cells in each line`)
  return rows
}

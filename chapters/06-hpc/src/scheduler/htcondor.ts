/**
 * HTCondor: a submit description beside the script, condor_q for what is in the queue, condor_history for what was. Jobs
 * that wait for each other are DAGMan's business, which is itself a job.
 */
import type { JobDescription, JobState, JobStatus } from './job.ts'
import {
  type Command,
  type Dialect,
  type ListedJob,
  type NodeStatus,
  ParseError,
  type Question,
  question,
} from './scheduler.ts'
import { jobScript } from './script.ts'

export function htcondor(): Dialect {
  return {
    name: 'htcondor',
    title: 'HTCondor',
    files: (job) => [
      { name: `${job.name}.sub`, text: description(job) },
      {
        name: `${job.name}.sh`,
        text: jobScript(job, { header: [], taskId: '$TASK_ID', staysThere: true }),
        executable: true,
      },
    ],
    submit: (job) => question(['condor_submit', `${job.name}.sub`], readSubmitted),
    poll: (jobs) => pollWhere(...jobs.map(({ id }) => id)),
    cancel: ({ id }, tasks) => ['condor_rm', ...(tasks ? ['-constraint', tasksWhere(id, tasks)] : [id])],
    hold: ({ id }) => ['condor_hold', id],
    release: ({ id }) => ['condor_release', id],
    why: ({ id }) => question(['condor_q', '-better-analyze', id], readReason),
    queue: (user) => readingBoth(queueAttributes, ['-constraint', `Owner == "${user}"`], readQueued),
    nodes: () => question(['condor_status', '-json', '-attributes', nodeAttributes.join(',')], readNodes),
    interactive: () => ['condor_submit', '-interactive'],
  }
}

/** The submit description. */
function description(job: JobDescription): string {
  if (job.dependencies?.length) throw new Error('HTCondor: jobs that wait for others are nodes of a DAGMan file')
  const { resources: { cores, memoryMb, nodes = 1, walltimeSeconds, gpus } = {} } = job
  const removals: string[] = []
  // There is no walltime of its own. LastJobStatus tells later which of the two it was.
  if (walltimeSeconds) removals.push(`(JobStatus == 2 && time() - EnteredCurrentStatus > ${walltimeSeconds})`)
  if (job.requeue === false) removals.push('(JobStatus == 1 && NumJobStarts > 0)')
  const commands: Record<string, string | number | undefined> = {
    universe: nodes > 1 ? 'parallel' : 'vanilla',
    machine_count: nodes > 1 ? nodes : undefined,
    executable: `${job.name}.sh`,
    // In the pool's list; and in the environment of each task.
    batch_name: job.name,
    environment: job.array && '"TASK_ID=$(TASK_ID)"',
    '+TaskId': job.array && '$(TASK_ID)',
    // What HTCondor does with the job, event by event. The command's own output goes elsewhere (script.ts).
    log: `${job.name}.log`,
    // Where no file system is shared with the node, what the command reads travels there, and what it has written back.
    should_transfer_files: 'IF_NEEDED',
    transfer_input_files: job.inputs?.join(', ') || undefined,
    when_to_transfer_output: 'ON_EXIT',
    request_cpus: cores,
    request_memory: memoryMb && `${memoryMb}MB`,
    request_gpus: gpus,
    requirements: job.queue && `Pool == "${job.queue}"`,
    periodic_remove: removals.join(' || ') || undefined,
    hold: job.hold ? 'True' : undefined,
  }
  const lines = Object.entries(commands).flatMap(([name, value]) => (value === undefined ? [] : [`${name} = ${value}`]))
  return [...lines, job.array ? `queue TASK_ID in (${job.array.join(' ')})` : 'queue', ''].join('\n')
}

/** `3 job(s) submitted to cluster 123.` */
function readSubmitted(stdout: string, command: Command): string {
  const [, id] = /^\d+ job\(s\) submitted to cluster (\d+)\./m.exec(stdout) ?? []
  if (id === undefined) throw new ParseError(command, stdout, 'submitted to cluster …')
  return id
}

const tasksWhere = (id: string, tasks: readonly number[]) =>
  `ClusterId == ${id} && (${tasks.map((task) => `TaskId == ${task}`).join(' || ')})`

const attributes = [
  'ClusterId',
  'TaskId',
  'DAGNodeName',
  'JobStatus',
  'LastJobStatus',
  'ExitCode',
  'ExitBySignal',
  'ExitSignal',
  'HoldReason',
  'HoldReasonCode',
  'RemoveReason',
  'RemoteHost',
  'LastRemoteHost',
]
const between = '--'

const pollWhere = (...ids: string[]): Question<DagStatus[]> => readingBoth(attributes, ids, (ads) => ads.map(statusOf))

/** Both lists in one command: a job leaves one of them for the other. */
function readingBoth<Answer>(names: string[], which: string[], read: (ads: Ad[]) => Answer): Question<Answer> {
  const script = `condor_q -json -attributes "$0" "$@" && echo "${between}" && condor_history -json -attributes "$0" "$@"`
  const command: Command = ['sh', '-c', script, names.join(','), ...which]
  return {
    command,
    parse(stdout) {
      const parts = `\n${stdout}`.split(`\n${between}\n`)
      if (parts.length !== 2)
        throw new ParseError(['condor_q'], stdout, 'the list of condor_q and that of condor_history')
      return read(parts.flatMap((part) => readAds(part, ['condor_q'])))
    },
  }
}

type Ad = Record<string, unknown>

/** A JSON list; of no jobs at all, some versions print nothing. */
function readAds(text: string, command: Command): Ad[] {
  if (text.trim() === '') return []
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list)) return list
  } catch {
    // Said below.
  }
  throw new ParseError(command, text, 'a JSON list')
}

export interface DagStatus extends JobStatus {
  /** Of a node of a DAG: its name there. */
  dagNode?: string
}

/** JobStatus: idle, running, removed, completed, held, transferring output, suspended. */
const states: (JobState | undefined)[] = [
  undefined,
  'queued',
  'running',
  undefined,
  undefined,
  'held',
  'running',
  'running',
]
/** HoldReasonCode: put on hold for what it used. */
const holds: Record<number, JobState> = { 34: 'out of memory', 46: 'timed out', 47: 'timed out' }

function statusOf(ad: Ad): DagStatus {
  const text = (name: string) => (ad[name] === undefined || ad[name] === '' ? undefined : String(ad[name]))
  const status: DagStatus = { id: String(ad.ClusterId), state: states[Number(ad.JobStatus)] ?? 'unknown' }
  if (ad.TaskId !== undefined) status.task = Number(ad.TaskId)
  if (ad.DAGNodeName !== undefined) status.dagNode = String(ad.DAGNodeName)
  // `slot1_2@n1`
  const node = (text('RemoteHost') ?? text('LastRemoteHost'))?.replace(/^[^@]*@/, '')
  if (node) status.node = node
  if (ad.JobStatus === 5) {
    status.state = holds[Number(ad.HoldReasonCode)] ?? 'held'
    const reason = text('HoldReason')
    if (reason) status.reason = reason
  }
  if (ad.JobStatus === 3) {
    const reason = text('RemoveReason')
    if (reason) status.reason = reason
    const byRule = reason?.includes('PeriodicRemove') ?? false
    status.state = !byRule ? 'cancelled' : ad.LastJobStatus === 1 ? 'node failed' : 'timed out'
  }
  if (ad.JobStatus === 4 && ad.ExitBySignal === true)
    Object.assign(status, { state: 'failed', signal: String(ad.ExitSignal) })
  else if (ad.JobStatus === 4 && typeof ad.ExitCode === 'number') {
    Object.assign(status, { state: ad.ExitCode === 0 ? 'completed' : 'failed', exitCode: ad.ExitCode })
  }
  return status
}

const queueAttributes = [...attributes, 'JobBatchName', 'Iwd']

function readQueued(ads: Ad[]): ListedJob[] {
  const jobs = ads.map((ad) => {
    const { id, state } = statusOf(ad)
    return { id, state, name: String(ad.JobBatchName ?? ''), folder: String(ad.Iwd ?? '') }
  })
  return [...new Map(jobs.map((job) => [job.id, job])).values()]
}

function readReason(stdout: string, command: Command): string {
  // The first line names the queue's server, which may change while nothing else does.
  const text = stdout.replace(/^\s*-- Schedd:.*\n/, '').trim()
  if (text === '') throw new ParseError(command, stdout, 'an analysis of the job')
  return text
}

const nodeAttributes = ['Machine', 'State', 'Activity', 'TotalCpus', 'Cpus', 'TotalMemory']

/** A machine is one slot that is cut into smaller ones as jobs come; its own Cpus are what is left. */
function readNodes(stdout: string, command: Command): NodeStatus[] {
  const machines = Map.groupBy(readAds(stdout, command), ({ Machine }) => String(Machine))
  return [...machines].map(([name, slots]) => {
    const [first = {}] = slots
    const cores = Number(first.TotalCpus)
    const free = slots.reduce((sum, slot) => sum + (slot.State === 'Unclaimed' ? Number(slot.Cpus) : 0), 0)
    return {
      ...({ name, state: free > 0 ? 'free' : 'busy', cores, coresInUse: cores - free } as const),
      memoryMb: Number(first.TotalMemory),
      detail: [...new Set(slots.map(({ State, Activity }) => `${State}/${Activity}`))].join(', '),
    }
  })
}

/** A node of a directed acyclic graph of jobs. */
export interface DagNode {
  name: string
  /** Its submit description. */
  file: string
  /** The nodes that must have succeeded before it. */
  parents: string[]
}

/** The file that DAGMan follows. */
export function dagFile(nodes: readonly DagNode[]): string {
  const lines = nodes.map(({ name, file }) => `JOB ${name} ${file}`)
  for (const { name, parents } of nodes) if (parents.length > 0) lines.push(`PARENT ${parents.join(' ')} CHILD ${name}`)
  return `${lines.join('\n')}\n`
}

/** Submits DAGMan with its file; the answer is the id of DAGMan's own job. */
export function submitDag(file: string): Question<string> {
  return question(['condor_submit_dag', file], readSubmitted)
}

/** DAGMan's own job, and its nodes' jobs as far as it has submitted them. */
export function pollDag(id: string): Question<DagStatus[]> {
  return pollWhere('-constraint', `ClusterId == ${id} || DAGManJobId == ${id}`)
}

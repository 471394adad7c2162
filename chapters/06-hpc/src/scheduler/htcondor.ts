/**
 * HTCondor: a submit description beside the script, condor_q for jobs in the queue, and condor_history for jobs that
 * have left it. Jobs that wait for each other are left to DAGMan, which is itself a job.
 */
import type { Command } from '../ssh/quote.ts'
import type { JobDescription, JobState, JobStatus } from './job.ts'
import { parseLoosely } from './loose-json.ts'
import {
  type Dialect,
  isObject,
  type ListedJob,
  type NodeStatus,
  ParseError,
  type Question,
  question,
  shortened,
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
    list: ({ id }) => ['condor_q', id],
    cancel: ({ id }, tasks) => ['condor_rm', ...(tasks ? ['-constraint', tasksWhere(id, tasks)] : [id])],
    hold: ({ id }) => ['condor_hold', id],
    release: ({ id }) => ['condor_release', id],
    why: ({ id }) => question(['condor_q', '-better-analyze', id], readReason),
    queue: (user) => readingBoth(queueAttributes, ['-constraint', `Owner == "${user}"`], readQueued),
    nodes: () => question(['condor_status', '-json', '-attributes', nodeAttributes.join(',')], readNodes),
    interactive: () => ['condor_submit', '-interactive'],
  }
}

/** Writes the submit description. */
function description(job: JobDescription): string {
  if (job.dependencies?.length) throw new Error('HTCondor: jobs that wait for others are nodes of a DAGMan file')
  const { resources: { cores, memoryMb, nodes = 1, walltimeSeconds, gpus } = {} } = job
  // #region no-walltime
  const removals: string[] = []
  // HTCondor has no walltime, so a condition removes the job. Later, LastJobStatus tells which of the two removed it.
  if (walltimeSeconds) removals.push(`(JobStatus == 2 && time() - EnteredCurrentStatus > ${walltimeSeconds})`)
  if (job.requeue === false) removals.push('(JobStatus == 1 && NumJobStarts > 0)')
  // #endregion no-walltime
  const commands: Record<string, string | number | undefined> = {
    universe: nodes > 1 ? 'parallel' : 'vanilla',
    machine_count: nodes > 1 ? nodes : undefined,
    executable: `${job.name}.sh`,
    // For the pool's list, and for the environment of each task.
    batch_name: job.name,
    environment: job.array && '"TASK_ID=$(TASK_ID)"',
    '+TaskId': job.array && '$(TASK_ID)',
    // HTCondor's event log of the job. The command's output goes elsewhere (script.ts).
    log: `${job.name}.log`,
    // Without a shared file system, input files are copied to the node, and new files are copied back.
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

/** Reads `3 job(s) submitted to cluster 123.` */
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

/** Asks for both lists with one command, because a job moves from one to the other. */
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

/**
 * Reads a JSON list, below whatever a site prints before it. For an empty one, some versions print nothing. If not all
 * can be read, each is read by itself.
 */
function readAds(text: string, command: Command): Ad[] {
  if (text.trim() === '') return []
  const list = parsed(text.replace(/^(?!\s*\[)[\s\S]*?\n(?=\[)/, ''))
  if (Array.isArray(list)) return list.filter(isObject).map(defined)
  // Most versions print an ad in several lines, whose texts may hold braces.
  const ads = text.match(/^\{$[\s\S]*?^\}$/gm) ?? text.match(/\{\s*"\w+"\s*:[\s\S]*?\}(?=\s*[,\]])/g) ?? []
  if (list || ads.length === 0) throw new ParseError(command, text, 'a JSON list')
  return ads.flatMap((each) => {
    const ad = parsed(each)
    if (isObject(ad)) return [defined(ad)]
    const number = (name: string) => new RegExp(`"${name}":\\s*(\\d+)`).exec(each)?.[1]
    const [ClusterId, TaskId] = ['ClusterId', 'TaskId'].map(number)
    return ClusterId === undefined ? [] : [{ ClusterId, TaskId, unread: shortened(each) }]
  })
}

/** An attribute whose value is undefined is listed as null. */
const defined = (ad: Ad): Ad => Object.fromEntries(Object.entries(ad).filter(([, value]) => value !== null))

function parsed(text: string): Ad | unknown[] | undefined {
  try {
    const value = parseLoosely(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export interface DagStatus extends JobStatus {
  /** For a node of a DAG: its name in the DAG. */
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
/** HoldReasonCodes of jobs that were put on hold because they used too much. */
const holds: Record<number, JobState> = { 34: 'out of memory', 46: 'timed out', 47: 'timed out' }

function statusOf(ad: Ad): DagStatus {
  const text = (name: string) => (ad[name] === undefined || ad[name] === '' ? undefined : String(ad[name]))
  const status: DagStatus = { id: String(ad.ClusterId), state: states[Number(ad.JobStatus)] ?? 'unknown' }
  if (ad.TaskId !== undefined) status.task = Number(ad.TaskId)
  const unread = text('unread')
  if (unread) status.unread = unread
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
  // The first line names the queue's server and its address, which say nothing about the job.
  const text = stdout.replace(/^\s*-- Schedd:.*\n/, '').trim()
  if (text === '') throw new ParseError(command, stdout, 'an analysis of the job')
  return text
}

const nodeAttributes = ['Machine', 'State', 'Activity', 'TotalCpus', 'Cpus', 'TotalMemory']

/** A machine is one slot, from which jobs take smaller slots; its Cpus attribute counts those left. */
function readNodes(stdout: string, command: Command): NodeStatus[] {
  const machines = Map.groupBy(readAds(stdout, command), ({ Machine }) => String(Machine))
  return [...machines].map(([name, slots]) => {
    const [first = {}] = slots
    const cores = Number(first.TotalCpus)
    const free = slots.reduce((sum, slot) => sum + (slot.State === 'Unclaimed' ? Number(slot.Cpus) : 0), 0)
    return {
      name,
      state: free > 0 ? ('free' as const) : ('busy' as const),
      cores,
      coresInUse: cores - free,
      memoryMb: Number(first.TotalMemory),
      detail: [...new Set(slots.map(({ State, Activity }) => `${State}/${Activity}`))].join(', '),
    }
  })
}

/** A job in a directed acyclic graph. */
export interface DagNode {
  name: string
  /** Its submit description. */
  file: string
  /** The names of the jobs that have to succeed before it. */
  parents: readonly string[]
}

/** DAGMan uses points and plus signs in the names that it makes of splices, and these words itself. */
const noNodeName = /[.+]|^(parent|child|all_nodes)$/i

// #region dag-file
/** Writes the file that describes a graph for DAGMan. */
export function dagFile(nodes: readonly DagNode[]): string {
  for (const { name } of nodes)
    if (noNodeName.test(name)) throw new Error(`HTCondor: DAGMan takes no job called ${name}`)
  const lines = nodes.map(({ name, file }) => `JOB ${name} ${file}`)
  for (const { name, parents } of nodes) if (parents.length > 0) lines.push(`PARENT ${parents.join(' ')} CHILD ${name}`)
  return `${lines.join('\n')}\n`
}
// #endregion dag-file

/** Submits DAGMan with its file. The answer is the id of DAGMan's own job. */
export function submitDag(file: string): Question<string> {
  return question(['condor_submit_dag', file], readSubmitted)
}

/** Asks for DAGMan's own job and for the jobs that it has submitted. */
export function pollDag(id: string): Question<DagStatus[]> {
  return pollWhere('-constraint', `ClusterId == ${id} || DAGManJobId == ${id}`)
}

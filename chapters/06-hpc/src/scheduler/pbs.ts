/** PBS Pro and OpenPBS: qsub, and qstat with its history (-x) and JSON. */
import { clockTime, taskRanges } from '@repo/practice-cluster/notation'
import type { Command } from '../ssh/quote.ts'
import type { JobDescription, JobStatus, SubmittedJob } from './job.ts'
import { parseLoosely } from './loose-json.ts'
import {
  type Dialect,
  dependencyWords,
  entryOf,
  isObject,
  type ListedJob,
  type NodeStatus,
  ParseError,
  type Question,
  question,
  readEach,
  shortened,
} from './scheduler.ts'
import { jobScript } from './script.ts'

export function pbs(): Dialect {
  // Whether qstat also lists jobs that have ended (-x), which a site has to switch on.
  let history = true
  const qstat = <Answer>(args: string[], parse: (stdout: string, command: Command) => Answer): Question<Answer> => ({
    ...question(['qstat', ...(history ? ['-x'] : []), ...args], parse),
    nothing: ({ stderr }) => /Unknown Job Id|Job has finished/i.test(stderr),
    instead({ stderr }) {
      if (!history || !/not configured to maintain job history/i.test(stderr)) return undefined
      history = false
      return qstat(args, parse)
    },
  })
  return {
    name: 'pbs',
    title: 'PBS',
    files: (job) => [
      { name: `${job.name}.sh`, text: jobScript(job, { header: header(job), taskId: taskId(job) }), executable: true },
    ],
    submit: (job) => question(['qsub', `${job.name}.sh`], readSubmitted),
    // -t: the subjobs of arrays.
    poll: (jobs) =>
      qstat(['-t', '-f', '-F', 'json', ...jobs.map(({ id }) => id)], (stdout, command) =>
        readStatuses(stdout, command, jobs),
      ),
    list: ({ id }) => ['qstat', id],
    cancel: (job, tasks) => ['qdel', ...(tasks ? subjobs(job, tasks) : [job.id])],
    hold: ({ id }) => ['qhold', id],
    release: ({ id }) => ['qrls', id],
    why: ({ id }) => ({ ...qstat(['-f', '-F', 'json', id], readReason), nothing: () => false }),
    queue: (user) => qstat(['-f', '-F', 'json'], (stdout, command) => readQueued(stdout, command, user)),
    nodes: () => question(['pbsnodes', '-a', '-F', 'json'], readNodes),
    interactive: ({ walltimeSeconds }) => ['qsub', '-I', '-l', `walltime=${clockTime(walltimeSeconds)}`],
  }
}

function header(job: JobDescription): string[] {
  const { resources: { cores = 1, memoryMb, nodes = 1, ranksPerNode, walltimeSeconds, gpus } = {} } = job
  const chunk = [`select=${nodes}`, `ncpus=${cores}`]
  if (ranksPerNode) chunk.push(`mpiprocs=${ranksPerNode}`)
  if (memoryMb) chunk.push(`mem=${memoryMb}mb`)
  if (gpus) chunk.push(`ngpus=${gpus}`)
  const lines = [`-N ${job.name}`, `-l ${chunk.join(':')}`]
  // One chunk on each node.
  if (nodes > 1) lines.push('-l place=scatter')
  if (walltimeSeconds) lines.push(`-l walltime=${clockTime(walltimeSeconds)}`)
  if (job.queue) lines.push(`-q ${job.queue}`)
  if (job.array) lines.push(`-J ${indexRange(job.array)}`)
  if (job.dependencies?.length) lines.push(`-W depend=${dependencyList(job)}`)
  if (job.requeue !== undefined) lines.push(`-r ${job.requeue ? 'y' : 'n'}`)
  if (job.hold) lines.push('-h')
  lines.push('-j oe', `-o ${job.name}${job.array ? '.^array_index^' : ''}.log`)
  return lines.map((line) => `#PBS ${line}`)
}

export const dependencyList = (job: JobDescription) =>
  job.dependencies?.map(({ on, when }) => `${dependencyWords[when]}:${on}`).join(',')

/**
 * The distance between the task numbers, if it is the same throughout: `-J` takes only a first, a last and a step. For
 * other numbers the array counts from 0, and the script looks them up.
 */
function step(tasks: readonly number[]): number | undefined {
  const [first = 0, second = first + 1] = tasks
  return tasks.every((task, at) => task === first + at * (second - first)) && second > first
    ? second - first
    : undefined
}

function indexRange(tasks: readonly number[]): string {
  const by = step(tasks)
  const [first = 0] = by ? tasks : [0]
  const last = by ? (tasks.at(-1) ?? first) : tasks.length - 1
  // PBS refuses an array of one task. A range of two numbers with a step of 2 has one.
  if (tasks.length === 1) return `${first}-${first + 1}:2`
  return `${first}-${last}${by && by > 1 ? `:${by}` : ''}`
}

// #region task-id
function taskId({ array }: JobDescription): string {
  if (!array || step(array)) return '$PBS_ARRAY_INDEX'
  return `$(echo ${array.join(' ')} | cut -d ' ' -f "$((PBS_ARRAY_INDEX + 1))")`
}
// #endregion task-id

const taskOf = (index: number, array: readonly number[] | undefined) => (!array || step(array) ? index : array[index])

function subjobs({ id, array }: SubmittedJob, tasks: readonly number[]): string[] {
  const indices = !array || step(array) ? tasks : tasks.map((task) => array.indexOf(task))
  return taskRanges(indices)
    .split(',')
    .map((range) => id.replace('[]', `[${range}]`))
}

/**
 * Reads `1584224.host.domain`, or `1584224[].host.domain` for an array. The host is left out, because qstat may show a
 * shorter one or cut it off.
 */
export function readSubmitted(stdout: string, command: Command): string {
  // With its host, where it has one: an account's start-up files, and a site's qsub, may print numbers around it.
  const found = [...stdout.matchAll(/^(\d+(?:\[\])?)(\.[\w.-]*)?\s*$/gm)]
  const [, id] = found.findLast(([, , host]) => host) ?? found.at(-1) ?? []
  if (id === undefined) throw new ParseError(command, stdout, 'the id of the job')
  return id
}

/** Reads the id of a job or subjob, whatever host follows it. */
export function readId(text: string): { id: string; index?: number } | undefined {
  const [, number, brackets, index] = /^(\d+)(\[(\d*)\])?(?:\.[\w.-]*)?\*?$/.exec(text.trim()) ?? []
  if (number === undefined) return undefined
  return { id: `${number}${brackets ? '[]' : ''}`, ...(index ? { index: Number(index) } : {}) }
}

function readStatuses(stdout: string, command: Command, jobs: readonly SubmittedJob[]): JobStatus[] {
  const arrays = new Map(jobs.map(({ id, array }) => [id, array]))
  const read = ([text, job]: ListedAttributes) => {
    const found = readId(text)
    if (!found) return undefined
    const task = found.index === undefined ? undefined : taskOf(found.index, arrays.get(found.id))
    return [{ id: found.id, ...(task === undefined ? {} : { task }), ...statusOf(job, endings) }]
  }
  return readEach(jobsIn(stdout, command), read, { command, stdout, expected: 'the ids of jobs' })
}

type Attributes = Record<string, unknown>
type ListedAttributes = [id: string, attributes: Attributes]

function jobsIn(stdout: string, command: Command): ListedAttributes[] {
  const { Jobs } = readJson(stdout, command) as { Jobs?: Record<string, unknown> }
  return Object.entries(Jobs ?? {}).map(([id, job]) => [id, isObject(job) ? job : { unread: JSON.stringify(job) }])
}

/** Reads a document of PBS. If not all of its jobs can be read, each is read by itself. */
function readJson(stdout: string, command: Command): object {
  const read = (text: string) => {
    try {
      const document = parseLoosely(text)
      return isObject(document) ? document : undefined
    } catch {
      return undefined
    }
  }
  const document = read(stdout)
  if (document && 'pbs_version' in document) return document
  const [head = '', ...parts] = stdout.split(/"(?=\d+(?:\[\d*\])?\.[\w.-]+\*?"\s*:\s*\{)/)
  if (document || !head.includes('"pbs_version"')) throw new ParseError(command, stdout, 'a JSON document of PBS')
  return { Jobs: Object.fromEntries(parts.map((part) => jobIn(part, read))) }
}

/**
 * Reads one job from its id to the beginning of the next one. In what is not even nearly JSON, such as shell functions
 * in the job's variables, it looks for the attributes one by one.
 */
function jobIn(part: string, read: (text: string) => object | undefined): ListedAttributes {
  const [, id = '', text = ''] = /^([^"]*)"\s*:\s*(\{[\s\S]*)$/.exec(part) ?? []
  // Behind the last job the document ends as well.
  const ends = [/,?\s*$/, /\}\s*\}\s*$/]
  const whole = ends.map((end) => read(text.replace(end, ''))).find(Boolean)
  if (whole) return [id, { ...whole }]
  const found = Array.from(text.matchAll(/"(\w+)"\s*:\s*(?:"([^"\n]*)"|(-?\d+))/g), ([, name, quoted, number]) => [
    name,
    quoted ?? number,
  ])
  // The first of several has the shortest way to the job.
  return [id, { unread: shortened(text), ...Object.fromEntries(found.reverse()) }]
}

/** PBS's own exit statuses, below zero (JOB_EXEC_… in its documentation). */
const endings: Record<number, JobStatus['state']> = {
  [-4]: 'node failed',
  [-26]: 'out of memory',
  [-27]: 'out of memory',
  [-29]: 'timed out',
}
/** The substate of a deleted job. */
const terminated = 91

/** PBS and Torque use the same letters for states, and different exit statuses below zero. */
export function statusOf(job: Attributes, ends: typeof endings): Omit<JobStatus, 'id' | 'task'> {
  const text = (name: string) => (job[name] === undefined || job[name] === null ? undefined : String(job[name]))
  const letter = text('job_state') ?? ''
  const status: Omit<JobStatus, 'id' | 'task'> = { state: entryOf(letters, letter) ?? 'unknown' }
  if (status.state === 'unknown' && !isEnd(letter)) status.unread = text('unread') ?? `job_state ${letter}`
  const node = text('exec_host')
    ?.split('+')
    .map((host) => host.replace(/\/.*/, ''))
  if (node) status.node = [...new Set(node)].join(',')
  const reason = text('comment')
  if (reason) status.reason = reason
  // The system holds the job until another one has ended: nobody has to release it.
  if (letter === 'H' && text('depend') && text('Hold_Types') === 's') status.state = 'queued'
  if (!isEnd(letter)) return status
  const exit = text('Exit_status') ?? text('exit_status')
  const deleted = text('substate') === String(terminated)
  if (exit === undefined) return { ...status, state: deleted ? 'cancelled' : 'unknown' }
  if (!/^-?\d+$/.test(exit)) return { ...status, state: 'unknown', unread: `exit status ${exit}` }
  const code = Number(exit)
  if (code < 0)
    return {
      ...status,
      state: ends[code] ?? 'failed',
      reason: [reason, `exit status ${code}`].filter(Boolean).join(', '),
    }
  // 256 plus the number of the signal that ended the job. Beyond a limit, that is all that some versions say.
  if (code > 256) {
    const ended = code === 256 + 15 ? 'cancelled' : 'failed'
    const state = deleted ? 'cancelled' : (limitOf(job, reason) ?? ended)
    return { ...status, state, signal: String(code - 256) }
  }
  return { ...status, state: code === 0 ? 'completed' : 'failed', exitCode: code }
}

/** Finished, of an array that has finished, and complete. */
const isEnd = (letter: string) => ['F', 'X', 'C'].includes(letter)

/** The limit that a job has gone beyond, by the scheduler's words or by what the job has used. */
function limitOf(job: Attributes, reason = ''): 'timed out' | 'out of memory' | undefined {
  const amount = (list: string, name: string) => {
    const given = job[list]
    return amountOf(String((isObject(given) ? given[name] : undefined) ?? job[`${list}.${name}`]))
  }
  const use = (name: string) => {
    const limit = amount('Resource_List', name)
    return limit > 0 ? amount('resources_used', name) / limit : 0
  }
  const [, name = ''] = /\b(walltime|cput|p?v?mem)(?: job total)? [\d.:]+ ?\w* exceeded/i.exec(reason) ?? []
  if (/mem/i.test(name)) return 'out of memory'
  if (name || use('walltime') >= 1 || use('cput') >= 1) return 'timed out'
  return ['mem', 'vmem', 'pmem', 'pvmem'].some((memory) => use(memory) > 1) ? 'out of memory' : undefined
}

/** Seconds, `1:02:03`, or an amount of memory such as `2000kb`; 0 for other texts. */
function amountOf(text: string): number {
  if (/^[\d:]+$/.test(text)) return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  const [, number = 0, unit = ''] = /^(\d+)([kmgt]?)b$/i.exec(text) ?? []
  return Number(number) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ')
}

const letters: Record<string, JobStatus['state']> = {
  Q: 'queued',
  W: 'queued',
  T: 'queued',
  H: 'held',
  R: 'running',
  S: 'running',
  U: 'running',
  // Exiting: not all of its output is in place yet.
  E: 'running',
  // An array of which some task has begun.
  B: 'running',
}

function readReason(stdout: string, command: Command): string {
  const [job] = jobsIn(stdout, command)
  if (!job) throw new ParseError(command, stdout, 'one job')
  return reasonOf(job[1])
}

/** Why a job waits, in the words of PBS and Torque. */
export function reasonOf({ job_state: state, comment, depend, Hold_Types: hold }: Attributes): string {
  const held = state === 'H' && hold && hold !== 'n' ? `hold types ${hold}` : undefined
  return [`state ${state}`, comment, depend && `depend ${depend}`, held].filter(Boolean).join(', ')
}

function readQueued(stdout: string, command: Command, user: string): ListedJob[] {
  return jobsIn(stdout, command).flatMap(([text, job]) => {
    const { PBS_O_WORKDIR: folder } = { ...job, ...(job.Variable_List ?? {}) } as Record<string, string>
    return listed(readId(text)?.id, job, folder, user)
  })
}

/** Reads a job from the server's list; returns nothing for other users' jobs. */
export function listed(id: string | undefined, job: Attributes, folder: string | undefined, user: string): ListedJob[] {
  // `user@host`
  if (id === undefined || String(job.Job_Owner).replace(/@.*/, '') !== user) return []
  return [{ id, name: String(job.Job_Name), state: statusOf(job, {}).state, folder }]
}

function readNodes(stdout: string, command: Command): NodeStatus[] {
  const { nodes } = readJson(stdout, command) as { nodes?: Record<string, unknown> }
  return Object.entries(nodes ?? {}).map(([name, found]) => {
    const node = isObject(found) ? found : {}
    const available = (node.resources_available ?? {}) as Attributes
    const assigned = (node.resources_assigned ?? {}) as Attributes
    const detail = String(node.state)
    const memory = Number(/^(\d+)kb$/.exec(String(available.mem))?.[1])
    return {
      name,
      state: nodeState(detail),
      cores: Number(available.ncpus ?? 0),
      coresInUse: Number(assigned.ncpus ?? 0),
      ...(memory ? { memoryMb: Math.floor(memory / 1024) } : {}),
      detail,
    }
  })
}

/** `free`, `job-busy`, `down`, `offline`, `state-unknown,down` and other lists. */
export function nodeState(words: string): NodeStatus['state'] {
  if (/\b(down|offline|stale|provisioning)\b/.test(words)) return 'down'
  if (/\b(job-busy|job-exclusive|busy|resv-exclusive)\b/.test(words)) return 'busy'
  return /\bfree\b/.test(words) ? 'free' : 'unknown'
}

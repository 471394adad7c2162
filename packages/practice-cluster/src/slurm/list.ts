/**
 * Slurm's commands for the practice queue, other than submitting, with the options and formats that people use most.
 */
import {
  type Answer,
  accounted,
  type Call,
  CommandError,
  type CommandProgram,
  clock,
  columns,
  ran,
  readOptions,
  shortClock,
} from '../commands.ts'
import { readTaskRanges, taskRanges } from '../notation.ts'
import { coresInUse, type Moment, type Task } from '../queue.ts'
import { hostList, sbatch, srun } from './submit.ts'

export const slurmCommands: Record<string, CommandProgram> = { sbatch, squeue, sacct, scancel, scontrol, sinfo, srun }

const idOf = ({ job, index }: Task) => (index === undefined ? `${job.id}` : `${job.id}_${index}`)

const longStates = { pending: 'PENDING', held: 'PENDING', running: 'RUNNING' } as const
const shortStates: Record<string, string> = {
  PENDING: 'PD',
  RUNNING: 'R',
  COMPLETED: 'CD',
  FAILED: 'F',
  CANCELLED: 'CA',
  TIMEOUT: 'TO',
  OUT_OF_MEMORY: 'OOM',
  NODE_FAIL: 'NF',
}
const endStates = { cancelled: 'CANCELLED', timeout: 'TIMEOUT', memory: 'OUT_OF_MEMORY', node: 'NODE_FAIL' } as const

function stateOf({ state, outcome }: Moment): string {
  if (state !== 'ended') return longStates[state]
  if (outcome?.how === 'exit') return outcome.code === 0 ? 'COMPLETED' : 'FAILED'
  return outcome?.how === 'signal' ? 'FAILED' : endStates[outcome?.how ?? 'cancelled']
}

const reasons = {
  none: 'None',
  resources: 'Resources',
  priority: 'Priority',
  dependency: 'Dependency',
  held: 'JobHeldUser',
  never: 'DependencyNeverSatisfied',
  limit: 'JobArrayTaskLimit',
  'nodes down': 'ReqNodeNotAvail,_UnavailableNodes',
} as const
const endReasons = {
  cancelled: 'None',
  timeout: 'TimeLimit',
  memory: 'OutOfMemory',
  node: 'NodeDown',
  signal: 'RaisedSignal',
} as const

function reasonOf({ reason, state, outcome }: Moment): string {
  if (state !== 'ended') return reasons[reason]
  if (outcome?.how === 'exit') return outcome.code === 0 ? 'None' : 'NonZeroExitCode'
  return endReasons[outcome?.how ?? 'cancelled']
}

/** `code:signal`. */
function exitOf({ outcome }: Moment): [code: number, signal: number] {
  if (outcome?.how === 'exit') return [outcome.code, 0]
  if (outcome?.how === 'signal') return [0, outcome.signal === 'SIGKILL' ? 9 : 15]
  if (outcome?.how === 'cancelled' || outcome?.how === 'timeout') return [0, 15]
  return [0, outcome ? 9 : 0]
}

/** The tasks behind ids such as `123`, `123_4` and `123_[0-3,7]`, separated by commas; undefined for an unknown id. */
function tasksOf(call: Call, text: string): (Task[] | undefined)[] {
  return [...text.matchAll(/[^,[]+(?:\[[^\]]*\])?/g)].map(([part]) => {
    const [, id = '', index, range] = /^(\d+)(?:_(\d+)|_\[([^\]]+)\])?$/.exec(part) ?? []
    const tasks = call.queue.jobs.get(Number(id))?.tasks
    const wanted = range ? readTaskRanges(range) : index ? [Number(index)] : undefined
    return wanted ? tasks?.filter(({ index: own = -1 }) => wanted.includes(own)) : tasks
  })
}

const everyTask = ({ queue }: Call) => [...queue.jobs.values()].flatMap(({ tasks }) => tasks)
/** MinJobAge: how long squeue and scontrol remember a job that has ended. */
const keptMs = 300_000
const remembered = ({ state, endedAt = 0 }: Moment & { endedAt?: number | undefined }) =>
  state !== 'ended' || Date.now() - endedAt < keptMs

function squeue(call: Call): Answer {
  const options = readOptions('squeue', call.args, {
    noheader: 'h!',
    array: 'r!',
    states: 't',
    jobs: 'j',
    Format: 'O',
    format: 'o',
    user: 'u',
    me: '!',
  })
  const jobs = options.text('jobs')
  const all = (options.text('states') ?? '').toLowerCase() === 'all'
  const found = jobs === undefined ? [everyTask(call)] : tasksOf(call, jobs)
  if (jobs !== undefined && found.every((tasks) => !tasks?.some(remembered)) && found.length === 1) {
    throw new CommandError('slurm_load_jobs error: Invalid job id specified')
  }
  const tasks = found.flatMap((list) => list ?? []).filter((task) => (all ? remembered(task) : task.state !== 'ended'))
  const rows = options.has('array') ? tasks.map((task) => ({ task, id: idOf(task) })) : together(tasks)
  const cells = rows.map(({ task, id }) => {
    const [code, signal] = exitOf(task)
    const { job, nodes } = task
    return {
      JOBID: id,
      PARTITION: job.queue,
      NAME: job.name,
      USER: call.user,
      ST: shortStates[stateOf(task)] ?? '?',
      TIME: shortClock(ran(task)),
      NODES: String(job.demand.nodes),
      'NODELIST(REASON)': place(task),
      STATE: stateOf(task),
      REASON: reasonOf(task),
      NODELIST: hostList(nodes),
      ARRAY_JOB_ID: String(job.id),
      WORK_DIR: job.folder,
      EXIT_CODE: String(code * 256 + signal),
    }
  })
  const head = !options.has('noheader')
  const long = options.text('Format')
  if (long === undefined) {
    const format = options.text('format') ?? '%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R'
    return { stdout: byLetters(format, queueLetters, cells, head) }
  }
  const fields = long.split(',').map((field) => {
    const [name = '', width = '20'] = field.split(':')
    const heading = queueFields[name.toLowerCase()]
    if (!heading) throw new CommandError(`squeue: error: Invalid job format specification: ${name}`)
    return { heading, width: Number(width) }
  })
  const line = (row: Cells) =>
    `${fields.map(({ heading, width }) => (row[heading] ?? '').slice(0, width).padEnd(width)).join('')}\n`
  return { stdout: [...(head ? [headings(fields.map(({ heading }) => heading))] : []), ...cells].map(line).join('') }
}

/** The letters of squeue's `-o`, and the names of its `-O`, with the headings of their columns. */
const queueLetters: Record<string, string> = {
  i: 'JOBID',
  P: 'PARTITION',
  j: 'NAME',
  u: 'USER',
  t: 'ST',
  M: 'TIME',
  D: 'NODES',
  R: 'NODELIST(REASON)',
  T: 'STATE',
  r: 'REASON',
  N: 'NODELIST',
  F: 'ARRAY_JOB_ID',
  Z: 'WORK_DIR',
}
const queueFields: Record<string, string> = {
  jobarrayid: 'JOBID',
  state: 'STATE',
  exit_code: 'EXIT_CODE',
  name: 'NAME',
  nodelist: 'NODELIST',
  reason: 'REASON',
  username: 'USER',
  timeused: 'TIME',
}

/** The cells of one row, by the headings of their columns. */
type Cells = Record<string, string>
const headings = (names: string[]): Cells => Object.fromEntries(names.map((name) => [name, name]))

/**
 * Writes rows in a format such as `%.18i %9P`: a letter for each column, with its width; a dot aligns it right.
 */
function byLetters(format: string, letters: Record<string, string>, rows: Cells[], head: boolean): string {
  const line = (row: Cells) =>
    format.replaceAll(/%(\.?)(\d*)([A-Za-z])/g, (_, right: string, width: string, letter: string) => {
      const cell = (row[letters[letter] ?? ''] ?? '').slice(0, width === '' ? undefined : Number(width))
      return right === '' ? cell.padEnd(Number(width)) : cell.padStart(Number(width))
    })
  return [...(head ? [headings(Object.values(letters))] : []), ...rows].map((row) => `${line(row)}\n`).join('')
}

const place = (task: Task) => (task.state === 'running' ? hostList(task.nodes) : `(${reasonOf(task)})`)

/** Puts the waiting tasks of an array into one row, `123_[0-3,7]`, as squeue and sacct do by default. */
function together(tasks: Task[]): { task: Task; id: string }[] {
  const rows: { task: Task; id: string }[] = []
  for (const [job, own] of Map.groupBy(tasks, ({ job }) => job)) {
    const waiting = own.filter(
      (task) => task.index !== undefined && (task.state === 'pending' || task.state === 'held'),
    )
    const limit = job.atOnce === undefined ? '' : `%${job.atOnce}`
    const [first] = waiting
    if (first && waiting.length > 1) {
      rows.push({ task: first, id: `${job.id}_[${taskRanges(waiting.flatMap(({ index }) => index ?? []))}${limit}]` })
    }
    for (const task of own) if (waiting.length < 2 || !waiting.includes(task)) rows.push({ task, id: idOf(task) })
  }
  return rows
}

function sacct(call: Call): Answer {
  if (!call.accounting) throw new CommandError('Slurm accounting storage is disabled')
  const options = readOptions('sacct', call.args, {
    allocations: 'X!',
    noheader: 'n!',
    parsable2: 'P!',
    jobs: 'j',
    format: 'o',
    user: 'u',
    starttime: 'S',
  })
  const jobs = options.text('jobs')
  const tasks = jobs === undefined ? everyTask(call) : tasksOf(call, jobs).flatMap((list) => list ?? [])
  const fields = (options.text('format') ?? 'JobID,JobName,Partition,AllocCPUS,State,ExitCode').split(',')
  const seen = new Map(
    tasks.flatMap((task) => {
      const moment = accounted(task, call.faults)
      return moment ? [[task, moment] as const] : []
    }),
  )
  const shown = [...seen].map(([task, moment]) => ({ ...task, ...moment }))
  const rows = together(shown).map(({ task, id }) => {
    const [code, signal] = exitOf(task)
    const values: Record<string, string> = {
      jobid: id,
      jobname: task.job.name,
      partition: task.job.queue,
      alloccpus: String(task.job.demand.coresPerNode),
      state: stateOf(task) === 'CANCELLED' ? `CANCELLED by ${process.getuid?.() ?? 0}` : stateOf(task),
      exitcode: `${code}:${signal}`,
      nodelist: hostList(task.nodes) || 'None assigned',
      reason: reasonOf(task),
      elapsed: clock(ran(task)),
    }
    return fields.map((field) => {
      const value = values[field.split('%')[0]?.toLowerCase() ?? '']
      if (value === undefined) throw new CommandError(`sacct: error: Invalid field requested: "${field}"`)
      return value
    })
  })
  const head = options.has('noheader') ? [] : [fields]
  if (options.has('parsable2')) return { stdout: [...head, ...rows].map((row) => `${row.join('|')}\n`).join('') }
  const rule = options.has('noheader') ? [] : [fields.map(() => '----------')]
  return {
    stdout: columns(
      fields.map(() => -12),
      [...head, ...rule, ...rows],
    ),
  }
}

function scancel(call: Call): Answer {
  const options = readOptions('scancel', call.args, { user: 'u', name: 'n', state: 't', me: '!' })
  const errors: string[] = []
  for (const operand of options.operands) {
    for (const tasks of tasksOf(call, operand)) {
      if (tasks) call.queue.cancel(tasks)
      else errors.push(`scancel: error: Kill job error on job id ${operand}: Invalid job id specified\n`)
    }
  }
  if (options.has('user') || options.has('me')) call.queue.cancel(everyTask(call))
  return { stderr: errors.join(''), code: errors.length > 0 ? 1 : 0 }
}

function scontrol(call: Call): Answer {
  const [verb = '', ...rest] = call.args
  const [what = '', ...names] = rest.map((word) => word.replace(/^job(id)?=/i, ''))
  const known = (text: string) => {
    const tasks = tasksOf(call, text).flatMap((list) => list ?? [])
    if (!tasks.some(remembered)) throw new CommandError('slurm_load_jobs error: Invalid job id specified')
    return tasks
  }
  if (verb === 'hold') call.queue.hold(known(what))
  else if (verb === 'release') call.queue.release(known(what))
  else if (verb === 'show' && /^jobs?$/.test(what)) {
    const described = known(names[0] ?? '').map((task) => describe(task, call))
    return { stdout: described.join('\n') }
  } else throw new CommandError(`invalid keyword: ${call.args.join(' ')}`)
  return {}
}

function describe(task: Task, { user }: Call): string {
  const { job, index } = task
  const [code, signal] = exitOf(task)
  const words = { ok: 'afterok', 'not ok': 'afternotok', any: 'afterany' }
  const open = job.dependencies?.map(({ on, when }) => `${words[when]}:${on}(unfulfilled)`).join(',')
  const waits = task.reason === 'dependency' || task.reason === 'never'
  return [
    `JobId=${job.id}${index === undefined ? '' : ` ArrayJobId=${job.id} ArrayTaskId=${index}`} JobName=${job.name}`,
    `   UserId=${user}`,
    `   JobState=${stateOf(task)} Reason=${reasonOf(task)} Dependency=${(waits && open) || '(null)'}`,
    `   Requeue=${job.requeue ? 1 : 0} Restarts=${task.restarts} BatchFlag=${job.program ? 1 : 0} ExitCode=${code}:${signal}`,
    `   RunTime=${clock(ran(task))} TimeLimit=${job.demand.walltimeMs === undefined ? 'UNLIMITED' : clock(job.demand.walltimeMs)}`,
    `   Partition=${job.queue}`,
    `   NodeList=${hostList(task.nodes) || '(null)'}`,
    `   NumNodes=${job.demand.nodes} NumCPUs=${job.demand.nodes * job.demand.coresPerNode}`,
    `   WorkDir=${job.folder}`,
    '',
  ].join('\n')
}

function sinfo({ queue, args }: Call): Answer {
  const options = readOptions('sinfo', args, { noheader: 'h!', Node: 'N!', format: 'o', nodes: 'n' })
  const only = options.text('nodes')?.split(',')
  const nodes = queue.nodes
    .filter(({ name }) => !only || only.includes(name))
    .map((node) => {
      const used = coresInUse(node)
      const idle = node.up ? node.cores - used : 0
      return {
        NODELIST: node.name,
        NODES: '1',
        PARTITION: 'practice*',
        STATE: !node.up ? 'down' : used === 0 ? 'idle' : used < node.cores ? 'mixed' : 'allocated',
        AVAIL: 'up',
        TIMELIMIT: 'infinite',
        'CPUS(A/I/O/T)': `${used}/${idle}/${node.cores - used - idle}/${node.cores}`,
        MEMORY: String(node.memoryMb),
        REASON: node.up ? 'none' : 'Not responding',
      }
    })
  // Without -N, the nodes of one state are in one row.
  const rows = options.has('Node')
    ? nodes
    : [...Map.groupBy(nodes, ({ STATE }) => STATE).values()].flatMap((list) => {
        const [first] = list
        if (!first) return []
        return [{ ...first, NODES: String(list.length), NODELIST: hostList(list.map(({ NODELIST }) => NODELIST)) }]
      })
  const format = options.text('format') ?? (options.has('Node') ? '%8N %.6D %.9P %T' : '%9P %.5a %.10l %.6D %.9T %N')
  return { stdout: byLetters(format, nodeLetters, rows, !options.has('noheader')) }
}

const nodeLetters: Record<string, string> = {
  N: 'NODELIST',
  D: 'NODES',
  P: 'PARTITION',
  T: 'STATE',
  a: 'AVAIL',
  l: 'TIMELIMIT',
  C: 'CPUS(A/I/O/T)',
  m: 'MEMORY',
  E: 'REASON',
}

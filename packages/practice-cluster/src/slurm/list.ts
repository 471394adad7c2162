/** Slurm's commands for the practice queue, other than submitting, with the options and formats that people use most. */
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
    start: '!',
  })
  const jobs = options.text('jobs')
  const all = (options.text('states') ?? '').toLowerCase() === 'all'
  const found = jobs === undefined ? [everyTask(call)] : tasksOf(call, jobs)
  if (jobs !== undefined && found.every((tasks) => !tasks?.some(remembered)) && found.length === 1) {
    throw new CommandError('slurm_load_jobs error: Invalid job id specified')
  }
  const tasks = found.flatMap((list) => list ?? []).filter((task) => (all ? remembered(task) : task.state !== 'ended'))
  const rows = options.has('array') ? tasks.map((task) => ({ task, id: idOf(task) })) : together(tasks)
  const long = options.text('Format')
  const format = options.text('format')
  if (long !== undefined) {
    const fields = long.split(',').map((field) => {
      const [name = '', width = '20'] = field.split(':')
      return { name: name.toLowerCase(), width: Number(width) }
    })
    const cell = (name: string, task: Task, id: string) => {
      const [code, signal] = exitOf(task)
      const values: Record<string, string> = {
        jobarrayid: id,
        state: stateOf(task),
        exit_code: String(code * 256 + signal),
        name: task.job.name,
        nodelist: hostList(task.nodes),
        reason: reasonOf(task),
        username: call.user,
        timeused: shortClock(ran(task)),
      }
      const value = values[name]
      if (value === undefined) throw new CommandError(`squeue: error: Invalid job format specification: ${name}`)
      return value
    }
    const line = (cells: string[]) =>
      `${fields.map(({ width }, at) => (cells[at] ?? '').slice(0, width).padEnd(width)).join('')}\n`
    const head = options.has('noheader') ? '' : line(fields.map(({ name }) => name.toUpperCase()))
    return { stdout: head + rows.map(({ task, id }) => line(fields.map(({ name }) => cell(name, task, id)))).join('') }
  }
  if (format !== undefined) {
    const values = (task: Task, id: string): Record<string, string> => ({
      i: id,
      A: String(task.job.id),
      j: task.job.name,
      T: stateOf(task),
      t: shortStates[stateOf(task)] ?? '?',
      r: reasonOf(task),
      R: place(task),
      N: hostList(task.nodes),
      D: String(task.job.demand.nodes),
      u: call.user,
      F: String(task.job.id),
      Z: task.job.folder,
      P: task.job.queue,
      M: shortClock(ran(task)),
      E: '(null)',
      S: 'N/A',
      K: String(task.index ?? 'N/A'),
    })
    const write = ({ task, id }: { task: Task; id: string }) => {
      const known = values(task, id)
      return `${format.replaceAll(/%\.?(\d*)([A-Za-z])/g, (_, width: string, letter: string) => (known[letter] ?? '').padEnd(Number(width)))}\n`
    }
    return { stdout: rows.map(write).join('') }
  }
  const head = ['JOBID', 'PARTITION', 'NAME', 'USER', 'ST', 'TIME', 'NODES', 'NODELIST(REASON)']
  const body = rows.map(({ task, id }) => [
    id,
    task.job.queue,
    task.job.name,
    call.user,
    shortStates[stateOf(task)] ?? '?',
    shortClock(ran(task)),
    task.job.demand.nodes,
    place(task),
  ])
  return { stdout: columns([-18, -9, -8, -8, -2, -10, -6, 60], options.has('noheader') ? body : [head, ...body]) }
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
  else if (verb === 'requeue') call.queue.requeue(known(what))
  else if (verb === 'ping') return { stdout: 'Slurmctld(primary) at practice is UP\n' }
  else if (verb === 'show' && /^jobs?$/.test(what)) {
    return {
      stdout: known(names[0] ?? '')
        .map((task) => describe(task, call))
        .join('\n'),
    }
  } else if (verb === 'show' && /^nodes?$/.test(what)) {
    const nodes = call.queue.nodes.filter(({ name }) => names.length === 0 || names.includes(name))
    return {
      stdout: nodes
        .map(
          ({ name, cores, memoryMb, up }) =>
            `NodeName=${name} CPUTot=${cores} RealMemory=${memoryMb}\n   State=${up ? 'IDLE' : 'DOWN'} Partitions=practice\n`,
        )
        .join('\n'),
    }
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
  const options = readOptions('sinfo', args, { noheader: 'h!', Node: 'N!', format: 'o', nodes: 'n', long: 'l!' })
  const only = options.text('nodes')?.split(',')
  const nodes = queue.nodes
    .filter(({ name }) => !only || only.includes(name))
    .map((node) => {
      const used = coresInUse(node)
      return {
        ...node,
        used,
        state: !node.up ? 'down' : used === 0 ? 'idle' : used < node.cores ? 'mixed' : 'allocated',
      }
    })
  const format = options.text('format')
  if (format !== undefined) {
    const lines = nodes.map(({ name, state, cores, used, memoryMb, up }) => {
      const idle = up ? cores - used : 0
      const values: Record<string, string> = {
        N: name,
        T: state,
        t: state.slice(0, 5),
        C: `${used}/${idle}/${cores - used - idle}/${cores}`,
        c: String(cores),
        m: String(memoryMb),
        E: up ? 'none' : 'Not responding',
        P: 'practice*',
      }
      return `${format.replaceAll(/%\.?(\d*)([A-Za-z])/g, (_, width: string, letter: string) => (values[letter] ?? '').padEnd(Number(width)))}\n`
    })
    return { stdout: lines.join('') }
  }
  const rows = options.has('Node')
    ? nodes.map(({ name, state }) => [name, 1, 'practice*', state])
    : [...Map.groupBy(nodes, ({ state }) => state)].map(([state, list]) => [
        'practice*',
        'up',
        'infinite',
        list.length,
        state,
        hostList(list.map(({ name }) => name)),
      ])
  const head = options.has('Node')
    ? ['NODELIST', 'NODES', 'PARTITION', 'STATE']
    : ['PARTITION', 'AVAIL', 'TIMELIMIT', 'NODES', 'STATE', 'NODELIST']
  const widths = options.has('Node') ? [8, -6, -9, 10] : [9, -5, -10, -6, -9, 20]
  return { stdout: columns(widths, options.has('noheader') ? rows : [head, ...rows]) }
}

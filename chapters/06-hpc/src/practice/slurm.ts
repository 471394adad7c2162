/** Slurm's commands over the practice queue: the options and forms that this chapter and its readers need of them. */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { readTaskRanges, taskRanges } from '../script.ts'
import {
  type Answer,
  accounted,
  type Call,
  CommandError,
  type CommandProgram,
  clock,
  columns,
  endTogether,
  ran,
  readClock,
  readMemory,
  readOptions,
  shortClock,
} from './commands.ts'
import { type Demand, type Job, type Moment, RefusedError, type Submission, type Task } from './queue.ts'

export const slurmCommands: Record<string, CommandProgram> = { sbatch, squeue, sacct, scancel, scontrol, sinfo, srun }

const resourceOptions = {
  ...{ nodes: 'N', ntasks: 'n', 'ntasks-per-node': '', 'cpus-per-task': 'c', mem: '', time: 't', partition: 'p' },
  ...{ 'job-name': 'J', 'gpus-per-node': '', gres: '', account: 'A', qos: 'q', pty: '!' },
}
const batchOptions = {
  ...resourceOptions,
  ...{ array: 'a', dependency: 'd', output: 'o', error: 'e', chdir: 'D', export: '', wrap: '', signal: '' },
  ...{ 'kill-on-invalid-dep': '', hold: 'H!', requeue: '!', 'no-requeue': '!', parsable: '!' },
}
type Options = ReturnType<typeof readOptions>

async function sbatch(call: Call): Promise<Answer> {
  const { queue } = call
  const own = readOptions('sbatch', call.args, batchOptions)
  const [path, ...scriptArgs] = own.operands
  const wrap = own.text('wrap')
  const folder = resolve(call.folder, own.text('chdir') ?? '.')
  const text = wrap ? `#!/bin/sh\n${wrap}\n` : await readScript(call, path)
  const lines = [...text.matchAll(/^#SBATCH[ \t]+(.*)$/gm)].flatMap(([, line = '']) => words(line))
  // What stands on the command line comes last, and so it wins.
  const options = readOptions('sbatch', [...lines, ...call.args], batchOptions)
  const demand = readDemand('sbatch', options)
  const array = options.text('array')
  const indices = array === undefined ? undefined : readTaskRanges(array)
  if (array !== undefined && !indices) throw refused('Invalid job array specification')
  const [, atOnce] = /%(\d+)$/.exec(array ?? '') ?? []
  const output = options.text('output') ?? (indices ? 'slurm-%A_%a.out' : 'slurm-%j.out')
  const error = options.text('error') ?? output
  const name = options.text('job-name') ?? (wrap ? 'wrap' : path ? basename(path) : 'sbatch')
  const spooled = join(call.spool, `${Date.now()}-${Math.random()}.sh`)
  await writeFile(spooled, text, { mode: 0o700 })

  const submission: Submission = {
    ...{ name, folder, demand, indices, queue: options.text('partition') ?? 'practice' },
    program: [spooled, ...scriptArgs],
    ...(atOnce ? { atOnce: Number(atOnce) } : {}),
    // What the submitting shell has goes with the job.
    environment: (task) => ({ ...call.environment, ...jobEnvironment(task), SLURM_SUBMIT_DIR: call.folder }),
    output: (task) => ({ out: resolve(folder, fill(output, task)), err: resolve(folder, fill(error, task)) }),
    dependencies: readDependencies(options.text('dependency')),
    cancelWhenImpossible: options.text('kill-on-invalid-dep') === 'yes',
    held: options.has('hold'),
    requeue: !options.has('no-requeue'),
    warnMs: readWarning(options.text('signal')),
  }
  const job = tryToSubmit(queue, submission)
  return { stdout: options.has('parsable') ? `${job.id}\n` : `Submitted batch job ${job.id}\n` }
}

function tryToSubmit(queue: Call['queue'], submission: Submission): Job {
  try {
    return queue.submit(submission)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    const messages = {
      'no such queue': `sbatch: error: invalid partition specified: ${submission.queue}\nsbatch: error: Batch job submission failed: Invalid partition name specified`,
      'too large': 'sbatch: error: Batch job submission failed: Requested node configuration is not available',
      'too many jobs':
        "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
      'no such job': 'sbatch: error: Batch job submission failed: Invalid job id specified',
    }
    throw new CommandError(messages[error.why])
  }
}

const refused = (why: string) => new CommandError(`sbatch: error: Batch job submission failed: ${why}`)

async function readScript(call: Call, path: string | undefined): Promise<string> {
  const text =
    path === undefined ? await call.stdin() : await readFile(resolve(call.folder, path), 'utf8').catch(() => undefined)
  if (text === undefined) throw new CommandError(`sbatch: error: Unable to open file ${path}`)
  if (!text.startsWith('#!')) {
    throw new CommandError(
      'sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh',
    )
  }
  return text
}

/** The words of a line of options, quotes taken off. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ''))
}

function readDemand(program: string, options: Options): Demand {
  const number = (name: string, otherwise: number) => {
    const text = options.text(name) ?? String(otherwise)
    if (!/^[1-9]\d*$/.test(text))
      throw new CommandError(`${program}: error: Invalid numeric value "${text}" for --${name}.`, 255)
    return Number(text)
  }
  const nodes = number('nodes', 1)
  const ntasks = number('ntasks', nodes)
  const ranksPerNode = number('ntasks-per-node', Math.ceil(ntasks / nodes))
  const time = options.text('time')
  const walltimeMs = time === undefined ? undefined : readClock(time)
  if (time !== undefined && !walltimeMs) throw new CommandError(`${program}: error: Invalid --time specification`)
  const mem = options.text('mem')
  const memoryMb = mem === undefined ? undefined : readMemory(mem)
  if (mem !== undefined && memoryMb === undefined)
    throw new CommandError(`${program}: error: Invalid --mem specification`, 255)
  if (options.has('gpus-per-node') || options.has('gres'))
    throw refused('Invalid generic resource (gres) specification')
  return { nodes, ranksPerNode, coresPerNode: ranksPerNode * number('cpus-per-task', 1), walltimeMs, memoryMb }
}

function readDependencies(text: string | undefined): Submission['dependencies'] {
  const whens = { afterok: 'ok', afternotok: 'not ok', afterany: 'any' } as const
  return (text ?? '')
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [word = '', ...ids] = part.split(':')
      const when = whens[word as keyof typeof whens]
      if (!when || ids.length === 0 || !ids.every((id) => /^\d+$/.test(id))) throw refused('Job dependency problem')
      return ids.map((id) => ({ on: Number(id), when }))
    })
}

/** `B:TERM@30`: other signals than SIGTERM are not for practice. */
function readWarning(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, seconds] = /^B:(?:SIG)?TERM@(\d+)$/.exec(text) ?? []
  if (seconds === undefined) throw new CommandError(`sbatch: error: Invalid --signal specification "${text}"`)
  return Number(seconds) * 1000
}

const idOf = ({ job, index }: Task) => (index === undefined ? `${job.id}` : `${job.id}_${index}`)

/** %j, %A, %a, %x, %N and %% in the name of a file. */
function fill(pattern: string, task: Task): string {
  const { job, index } = task
  const values: Record<string, string> = {
    ...{
      j: String(job.id),
      A: String(job.id),
      a: String(index ?? 4294967294),
      x: job.name,
      N: task.nodes[0] ?? '',
      '%': '%',
    },
  }
  return pattern.replaceAll(/%(\w|%)/g, (whole, letter: string) => values[letter] ?? whole)
}

function jobEnvironment(task: Task): Record<string, string> {
  const { job, index, nodes } = task
  const { demand } = job
  const array: Record<string, string> =
    index === undefined
      ? {}
      : {
          SLURM_ARRAY_JOB_ID: String(job.id),
          SLURM_ARRAY_TASK_ID: String(index),
          SLURM_ARRAY_TASK_COUNT: String(job.tasks.length),
          SLURM_ARRAY_TASK_MIN: String(job.tasks[0]?.index),
          SLURM_ARRAY_TASK_MAX: String(job.tasks.at(-1)?.index),
        }
  return {
    ...array,
    SLURM_JOB_ID: String(job.id),
    SLURM_JOBID: String(job.id),
    SLURM_JOB_NAME: job.name,
    SLURM_JOB_PARTITION: job.queue,
    SLURM_CLUSTER_NAME: 'practice',
    SLURM_JOB_NODELIST: hostList(nodes),
    SLURM_NODELIST: hostList(nodes),
    SLURM_JOB_NUM_NODES: String(nodes.length),
    SLURM_NNODES: String(nodes.length),
    SLURM_NTASKS: String(nodes.length * demand.ranksPerNode),
    SLURM_NTASKS_PER_NODE: String(demand.ranksPerNode),
    SLURM_CPUS_PER_TASK: String(demand.coresPerNode / demand.ranksPerNode),
    SLURM_CPUS_ON_NODE: String(demand.coresPerNode),
    SLURMD_NODENAME: nodes[0] ?? '',
    SLURM_RESTART_COUNT: String(task.restarts),
    PRACTICE_NODE: nodes[0] ?? '',
    PRACTICE_NODES: nodes.join(','),
  }
}

/** `n[1-2]` for n1 and n2. */
function hostList(names: readonly string[]): string {
  if (names.length < 2 || !names.every((name) => /^n\d+$/.test(name))) return names.join(',')
  return `n[${taskRanges(names.map((name) => Number(name.slice(1))))}]`
}

const longStates = { pending: 'PENDING', held: 'PENDING', running: 'RUNNING' } as const
const shortStates: Record<string, string> = {
  ...{ PENDING: 'PD', RUNNING: 'R', COMPLETED: 'CD', FAILED: 'F', CANCELLED: 'CA', TIMEOUT: 'TO' },
  ...{ OUT_OF_MEMORY: 'OOM', NODE_FAIL: 'NF' },
}
const endStates = { cancelled: 'CANCELLED', timeout: 'TIMEOUT', memory: 'OUT_OF_MEMORY', node: 'NODE_FAIL' } as const

function stateOf({ state, outcome }: Moment): string {
  if (state !== 'ended') return longStates[state]
  if (outcome?.how === 'exit') return outcome.code === 0 ? 'COMPLETED' : 'FAILED'
  return outcome?.how === 'signal' ? 'FAILED' : endStates[outcome?.how ?? 'cancelled']
}

const reasons = {
  ...{ none: 'None', resources: 'Resources', priority: 'Priority', dependency: 'Dependency', held: 'JobHeldUser' },
  ...{ never: 'DependencyNeverSatisfied', limit: 'JobArrayTaskLimit' },
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

/** The tasks behind `123`, `123_4` and `123_[0-3,7]`, separated by commas; undefined for an id that there is not. */
function tasksOf(call: Call, text: string): (Task[] | undefined)[] {
  return [...text.matchAll(/[^,[]+(?:\[[^\]]*\])?/g)].map(([part]) => {
    const [, id = '', index, range] = /^(\d+)(?:_(\d+)|_\[([^\]]+)\])?$/.exec(part) ?? []
    const tasks = call.queue.jobs.get(Number(id))?.tasks
    const wanted = range ? readTaskRanges(range) : index ? [Number(index)] : undefined
    return wanted ? tasks?.filter(({ index: own = -1 }) => wanted.includes(own)) : tasks
  })
}

const everyTask = ({ queue }: Call) => [...queue.jobs.values()].flatMap(({ tasks }) => tasks)
/** MinJobAge: so long squeue and scontrol know a job that has ended. */
const keptMs = 300_000
const remembered = ({ state, endedAt = 0 }: Moment & { endedAt?: number | undefined }) =>
  state !== 'ended' || Date.now() - endedAt < keptMs

function squeue(call: Call): Answer {
  const options = readOptions('squeue', call.args, {
    ...{
      noheader: 'h!',
      array: 'r!',
      states: 't',
      jobs: 'j',
      Format: 'O',
      format: 'o',
      user: 'u',
      me: '!',
      start: '!',
    },
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
        ...{ jobarrayid: id, state: stateOf(task), exit_code: String(code * 256 + signal), name: task.job.name },
        ...{
          nodelist: hostList(task.nodes),
          reason: reasonOf(task),
          username: call.user,
          timeused: shortClock(ran(task)),
        },
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
      ...{ i: id, A: String(task.job.id), j: task.job.name, T: stateOf(task), t: shortStates[stateOf(task)] ?? '?' },
      ...{ r: reasonOf(task), R: place(task), N: hostList(task.nodes), D: String(task.job.demand.nodes), u: call.user },
      ...{
        F: String(task.job.id),
        Z: task.job.folder,
        P: task.job.queue,
        M: shortClock(ran(task)),
        E: '(null)',
        S: 'N/A',
        K: String(task.index ?? 'N/A'),
      },
    })
    const write = ({ task, id }: { task: Task; id: string }) => {
      const known = values(task, id)
      return `${format.replaceAll(/%\.?(\d*)([A-Za-z])/g, (_, width: string, letter: string) => (known[letter] ?? '').padEnd(Number(width)))}\n`
    }
    return { stdout: rows.map(write).join('') }
  }
  const head = ['JOBID', 'PARTITION', 'NAME', 'USER', 'ST', 'TIME', 'NODES', 'NODELIST(REASON)']
  const body = rows.map(({ task, id }) => [
    ...[id, task.job.queue, task.job.name, call.user, shortStates[stateOf(task)] ?? '?'],
    ...[shortClock(ran(task)), task.job.demand.nodes, place(task)],
  ])
  return { stdout: columns([-18, -9, -8, -8, -2, -10, -6, 60], options.has('noheader') ? body : [head, ...body]) }
}

const place = (task: Task) => (task.state === 'running' ? hostList(task.nodes) : `(${reasonOf(task)})`)

/** Waiting tasks of one array in one line, `123_[0-3,7]`, as squeue and sacct do without being told otherwise. */
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
    ...{ allocations: 'X!', noheader: 'n!', parsable2: 'P!', jobs: 'j', format: 'o', user: 'u', starttime: 'S' },
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
      ...{
        jobid: id,
        jobname: task.job.name,
        partition: task.job.queue,
        alloccpus: String(task.job.demand.coresPerNode),
      },
      state: stateOf(task) === 'CANCELLED' ? `CANCELLED by ${process.getuid?.() ?? 0}` : stateOf(task),
      ...{ exitcode: `${code}:${signal}`, nodelist: hostList(task.nodes) || 'None assigned', reason: reasonOf(task) },
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
      const used = [...node.running].reduce((sum, { job }) => sum + job.demand.coresPerNode, 0)
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
        ...{
          N: name,
          T: state,
          t: state.slice(0, 5),
          C: `${used}/${idle}/${cores - used - idle}/${cores}`,
          c: String(cores),
        },
        ...{ m: String(memoryMb), E: up ? 'none' : 'Not responding', P: 'practice*' },
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

/** In a job: starts the ranks of a parallel program on the job's nodes. Outside one: a job of its own, for one program. */
async function srun(call: Call): Promise<Answer> {
  const { options, program } = splitProgram(call.args)
  if (program.length === 0) throw new CommandError('srun: fatal: No command given to execute.')
  const { SLURM_JOB_ID: inside } = call.environment
  if (inside === undefined) return await interactive(call, options, program)
  const job = call.queue.job(Number(inside))
  const nodes = (call.environment.PRACTICE_NODES ?? '').split(',')
  const ranks = Number(options.text('ntasks') ?? nodes.length * job.demand.ranksPerNode)
  const perNode = Math.ceil(ranks / nodes.length)
  const runs = Array.from({ length: ranks }, (_, rank) => {
    const node = nodes[Math.floor(rank / perNode)] ?? ''
    return {
      command: program,
      environment: {
        ...{
          SLURM_PROCID: String(rank),
          SLURM_LOCALID: String(rank % perNode),
          SLURM_NTASKS: String(ranks),
          SLURM_STEP_ID: '0',
        },
        ...{ SLURM_NODEID: String(Math.floor(rank / perNode)), SLURMD_NODENAME: node, PRACTICE_NODE: node },
      },
    }
  })
  return { code: await call.run(runs) }
}

async function interactive(call: Call, options: Options, program: string[]): Promise<Answer> {
  const started = Promise.withResolvers<Task>()
  const job = tryToSubmit(call.queue, {
    ...{
      name: options.text('job-name') ?? basename(program[0] ?? ''),
      folder: call.folder,
      demand: readDemand('srun', options),
    },
    ...{ environment: jobEnvironment, queue: options.text('partition') ?? 'practice', onStart: started.resolve },
  })
  const [waiting] = job.tasks
  if (!waiting) return {}
  endTogether(call, job, waiting)
  if (waiting.state === 'pending') {
    call.say(`srun: job ${job.id} queued and waiting for resources\n`)
    await started.promise
    call.say(`srun: job ${job.id} has been allocated resources\n`)
  }
  const code = await call.run([{ command: program, environment: { ...jobEnvironment(waiting), SLURM_PROCID: '0' } }])
  call.queue.finish(waiting, { how: 'exit', code })
  return { code }
}

/** srun's options end where its program begins. */
function splitProgram(args: string[]): { options: Options; program: string[] } {
  const own: string[] = []
  const rest = [...args]
  const shorts = new Map(
    Object.entries(resourceOptions).map(([name, letter]) => [letter.replace('!', '') || name, letter]),
  )
  while (rest[0]?.startsWith('-')) {
    const option = rest.shift() ?? ''
    own.push(option)
    const name = option.startsWith('--') ? option.slice(2) : option.slice(1)
    const form = resourceOptions[name as keyof typeof resourceOptions] ?? shorts.get(name)
    const alone = form === undefined || form.endsWith('!') || option.includes('=')
    if (!alone) own.push(rest.shift() ?? '')
  }
  return { options: readOptions('srun', own, resourceOptions), program: rest }
}

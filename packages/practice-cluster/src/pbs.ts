/** The commands of PBS and Torque for the practice queue. They take the same options but print different formats. */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { basename, join, resolve } from 'node:path'
import {
  type Answer,
  accounted,
  type Call,
  CommandError,
  type CommandProgram,
  clock,
  columns,
  ran,
  readClock,
  readDependencies,
  readMemory,
  readOptions,
  runInteractively,
  spoolScript,
} from './commands.ts'
import { readTaskRanges } from './notation.ts'
import { coresInUse, type Demand, type Job, type Moment, RefusedError, type Submission, type Task } from './queue.ts'

type Flavour = 'pbs' | 'torque'

export const pbsCommands = commandsOf('pbs')
export const torqueCommands = commandsOf('torque')

function commandsOf(flavour: Flavour): Record<string, CommandProgram> {
  const onTasks = (program: string, act: (call: Call, tasks: Task[]) => void) => (call: Call) => {
    const options = readOptions(program, call.args, { tasks: 't' })
    const only = options.text('tasks')
    for (const operand of options.operands) {
      act(call, tasksOf(call, program, only ? operand.replace('[]', `[${only}]`) : operand))
    }
    return {}
  }
  return {
    qsub: (call) => qsub(call, flavour),
    qstat: (call) => qstat(call, flavour),
    qdel: onTasks('qdel', ({ queue }, tasks) => queue.cancel(tasks)),
    qhold: onTasks('qhold', ({ queue }, tasks) => queue.hold(tasks)),
    qrls: onTasks('qrls', ({ queue }, tasks) => queue.release(tasks)),
    pbsnodes: (call) => pbsnodes(call, flavour),
  }
}

const submitOptions = {
  N: 'N',
  l: 'l',
  q: 'q',
  J: 'J',
  t: 't',
  W: 'W',
  h: 'h!',
  o: 'o',
  e: 'e',
  j: 'j',
  r: 'r',
  v: 'v',
  V: 'V!',
  I: 'I!',
}
type Options = ReturnType<typeof readOptions>

async function qsub(call: Call, flavour: Flavour): Promise<Answer> {
  const own = readOptions('qsub', call.args, submitOptions)
  const home = call.environment.HOME ?? call.folder
  if (own.has('I')) return await interactive(call, own, flavour)
  const [path] = own.operands
  const text =
    path === undefined ? await call.stdin() : await readFile(resolve(call.folder, path), 'utf8').catch(() => undefined)
  if (text === undefined)
    throw new CommandError(`qsub: script file '${path}' cannot be loaded - No such file or directory`)
  const lines = [...text.matchAll(/^#PBS[ \t]+(.*)$/gm)].flatMap(([, line = '']) => line.trim().split(/\s+/))
  const options = readOptions('qsub', [...lines, ...call.args], submitOptions)
  const array = options.text(flavour === 'pbs' ? 'J' : 't')
  const indices = array === undefined ? undefined : readTaskRanges(array)
  const tooShort = flavour === 'pbs' && array !== undefined && !/^\d+-\d+/.test(array)
  if (array !== undefined && (!indices || tooShort)) throw new CommandError('qsub: Bad Job Array Range', 168)
  const name = options.text('N') ?? (path ? basename(path) : 'STDIN')
  const output = (task: Task) => {
    const suffix = task.index === undefined ? `${task.job.id}` : `${task.job.id}.${task.index}`
    const given = options.text('o')?.replace('^array_index^', String(task.index))
    const out = resolve(call.folder, given ?? `${name}.o${suffix}`)
    return {
      out,
      err: options.text('j') === 'oe' ? out : resolve(call.folder, options.text('e') ?? `${name}.e${suffix}`),
    }
  }
  const spooled = await spoolScript(call, text)
  const depends = options.texts('W').flatMap((attribute) => /^depend=(.*)$/.exec(attribute)?.[1] ?? [])
  const job = tryToSubmit(call, flavour, {
    name,
    // A job begins in the home folder, as with PBS.
    folder: home,
    output,
    indices,
    program: ['sh', spooled],
    demand: readDemand(options),
    environment: (task) => ({ ...jobEnvironment(task, call, flavour), ...variables(options.text('v')) }),
    queue: options.text('q') ?? 'practice',
    dependencies: readDependencies(depends.join(','), new CommandError('qsub: illegal -W value', 2)),
    cancelWhenImpossible: true,
    held: options.has('h'),
    requeue: options.text('r') !== 'n',
    notes: { depend: depends[0], workFolder: call.folder },
  })
  return { stdout: `${idOf(job)}\n` }
}

/** The server's name, which qstat also shows after the job numbers. */
const server = 'practice'
const idOf = ({ id, indices }: Job, index?: number) => `${id}${indices ? `[${index ?? ''}]` : ''}.${server}`

function tryToSubmit(call: Call, flavour: Flavour, submission: Submission): Job {
  try {
    return call.queue.submit(submission)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    const messages = {
      pbs: {
        'no such queue': ['qsub: Unknown queue', 170],
        'too large': ['qsub: Job violates queue and/or server resource limits', 188],
        'too many jobs': ["qsub: would exceed complex's per-user limit of jobs in 'Q' state", 176],
        'no such job': ['qsub: Unknown Job Id', 153],
      },
      torque: {
        'no such queue': ['qsub: submit error (Unknown queue MSG=requested queue not found)', 170],
        'too large': ['qsub: submit error (Job exceeds queue resource limits MSG=cannot locate feasible nodes)', 188],
        'too many jobs': ['qsub: submit error (Maximum number of jobs already in queue for user)', 176],
        'no such job': ['qsub: Unknown Job Id Error', 153],
      },
    } as const
    const [message, code] = messages[flavour][error.why]
    throw new CommandError(message, code)
  }
}

/** `-l select=2:ncpus=1:mem=10mb:mpiprocs=2`, `-l nodes=2:ppn=1`, `-l walltime=00:01:00,mem=10mb`. */
function readDemand(options: Options): Demand {
  const values = new Map(
    options
      .texts('l')
      .flatMap((list) => list.split(/[,:](?=[a-z]+=)/))
      .map((setting) => setting.split('=') as [string, string]),
  )
  const number = (name: string) => {
    const text = values.get(name)
    if (text === undefined) return undefined
    if (!/^[1-9]\d*$/.test(text))
      throw new CommandError(`qsub: Illegal attribute or resource value for Resource_List.${name}`, 168)
    return Number(text)
  }
  for (const name of values.keys()) {
    if (!['select', 'ncpus', 'mpiprocs', 'mem', 'nodes', 'ppn', 'walltime', 'place'].includes(name)) {
      throw new CommandError(`qsub: Unknown resource: ${name}`, 172)
    }
  }
  const walltime = values.get('walltime')
  const mem = values.get('mem')
  return {
    nodes: number('select') ?? number('nodes') ?? 1,
    coresPerNode: number('ncpus') ?? number('ppn') ?? 1,
    ranksPerNode: number('mpiprocs') ?? number('ppn') ?? 1,
    memoryMb: mem === undefined ? undefined : readMemory(mem),
    walltimeMs: walltime === undefined ? undefined : readClock(walltime, 1000),
  }
}

const variables = (text = '') =>
  Object.fromEntries(
    text
      .split(',')
      .flatMap((part) => (part.includes('=') ? [[part.split('=')[0] ?? '', part.replace(/^[^=]*=/, '')]] : [])),
  )

function jobEnvironment(task: Task, call: Call, flavour: Flavour): Record<string, string> {
  const { job, index, nodes } = task
  const { ranksPerNode, coresPerNode } = job.demand
  const list = join(call.spool, `nodes-${job.id}-${index ?? ''}`)
  writeFileSync(list, nodes.flatMap((name) => Array.from({ length: ranksPerNode }, () => `${name}\n`)).join(''))
  const array = { [flavour === 'pbs' ? 'PBS_ARRAY_INDEX' : 'PBS_ARRAYID']: String(index) }
  return {
    ...(index === undefined ? {} : array),
    PBS_JOBID: idOf(job, index),
    PBS_JOBNAME: job.name,
    PBS_QUEUE: job.queue,
    PBS_O_WORKDIR: call.folder,
    PBS_NODEFILE: list,
    PBS_ENVIRONMENT: job.program ? 'PBS_BATCH' : 'PBS_INTERACTIVE',
    PBS_O_HOST: 'login',
    NCPUS: String(coresPerNode),
    PRACTICE_NODE: nodes[0] ?? '',
    PRACTICE_NODES: nodes.join(','),
  }
}

/** `12`, `12.practice`, `12[]`, `12[3]`, `12[0-3,7]`. */
function tasksOf(call: Call, program: string, text: string): Task[] {
  const [, id, range] = /^(\d+)(?:\[([^\]]*)\])?(?:\.\S*)?$/.exec(text) ?? []
  const tasks = call.queue.jobs.get(Number(id))?.tasks
  const wanted = range ? readTaskRanges(range) : undefined
  const found = tasks?.filter(({ index = -1 }) => !wanted || wanted.includes(index))
  if (!found?.length)
    throw new CommandError(`${program}: Unknown Job Id ${text.includes('.') ? text : `${text}.${server}`}`, 153)
  return found
}

const stateLetter = ({ state, reason, outcome }: Moment, flavour: Flavour): string => {
  if (state === 'ended') return outcome ? (flavour === 'pbs' ? 'F' : 'C') : 'U'
  if (state === 'held' || reason === 'dependency' || reason === 'never') return 'H'
  return state === 'running' ? 'R' : 'Q'
}

const comments = {
  none: undefined,
  resources: 'Not Running: Insufficient amount of resource: ncpus',
  limit: 'Not Running: Too many running subjobs',
  priority: 'Not Running: Insufficient amount of resource: ncpus',
  dependency: undefined,
  never: undefined,
  held: undefined,
  'nodes down': 'Not Running: Not enough total nodes available',
}
const own = { pbs: { timeout: -29, memory: -27, node: -4 }, torque: { timeout: -11, memory: -10, node: -4 } } as const
const keptMs = 300_000

/** A task's attributes in `qstat -f`, in the real program's order. */
function attributesOf(task: Task, call: Call, flavour: Flavour): Record<string, string | number | object> {
  const { job, outcome } = task
  const attributes: Record<string, string | number | object> = {
    Job_Name: job.name,
    Job_Owner: `${call.user}@login`,
    job_state: stateLetter(task, flavour),
    queue: job.queue,
    server,
  }
  if (task.nodes.length > 0) attributes.exec_host = task.nodes.map((name) => `${name}/0`).join('+')
  if (task.state === 'held') attributes.Hold_Types = 'u'
  if (task.reason === 'dependency' || task.reason === 'never') attributes.Hold_Types = 's'
  const depend = job.notes?.depend
  if (typeof depend === 'string' && task.state === 'pending') attributes.depend = depend
  if (job.demand.walltimeMs !== undefined) attributes['Resource_List.walltime'] = clock(job.demand.walltimeMs)
  attributes['Resource_List.ncpus'] = job.demand.nodes * job.demand.coresPerNode
  const PBS_O_WORKDIR = String(job.notes?.workFolder)
  attributes.Variable_List = flavour === 'pbs' ? { PBS_O_WORKDIR } : `PBS_O_HOST=login,PBS_O_WORKDIR=${PBS_O_WORKDIR}`
  if (task.startedAt !== undefined) attributes['resources_used.walltime'] = clock(ran(task))
  const comment = task.state === 'pending' ? comments[task.reason] : undefined
  if (comment) attributes.comment = comment
  if (outcome) {
    const exit = flavour === 'pbs' ? 'Exit_status' : 'exit_status'
    if (flavour === 'pbs') attributes.substate = outcome.how === 'cancelled' ? 91 : 92
    if (outcome.how === 'exit') attributes[exit] = outcome.code
    else if (outcome.how === 'signal') attributes[exit] = 256 + constants.signals[outcome.signal]
    else if (outcome.how === 'cancelled') {
      if (task.startedAt !== undefined) attributes[exit] = 256 + constants.signals.SIGTERM
      else if (flavour === 'torque') attributes[exit] = 256 + constants.signals.SIGTERM
    } else attributes[exit] = own[flavour][outcome.how]
  }
  return attributes
}

function qstat(call: Call, flavour: Flavour): Answer {
  const names = { x: 'x!', t: 't!', f: 'f!', F: 'F', a: 'a!', n: 'n!', one: '1!', u: 'u', version: '!' }
  const options = readOptions('qstat', call.args, names)
  if (options.has('version'))
    return flavour === 'pbs' ? { stdout: 'pbs_version = 22.05.11\n' } : { stderr: 'Version: 6.1.3\nCommit: practice\n' }
  if (flavour === 'pbs' && options.has('x') && !call.accounting) {
    throw new CommandError(
      `qstat: PBS is not configured to maintain job history ${options.operands[0] ?? ''}`.trimEnd(),
    )
  }
  const errors: string[] = []
  const asked = options.operands.length === 0 ? [...call.queue.jobs.values()].flatMap(({ tasks }) => tasks) : []
  for (const operand of options.operands) {
    try {
      asked.push(...tasksOf(call, 'qstat', operand))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      errors.push(`${error.message}\n`)
    }
  }
  const history = flavour === 'torque' || options.has('x')
  const shown = asked.flatMap((task) => {
    if (task.state !== 'ended') return [task]
    // The server's list is up to date. Only its history may lag behind.
    const moment = history && Date.now() - (task.endedAt ?? 0) < keptMs ? accounted(task, call.faults) : undefined
    return moment ? [{ ...task, ...moment }] : []
  })
  if (options.operands.length > 0 && asked.length > 0 && shown.length === 0 && !history) {
    errors.push(`qstat: ${options.operands[0]} Job has finished, use -x or -H to obtain historical job information\n`)
  }
  const code = errors.length > 0 ? (asked.length > 0 && shown.length === 0 ? 35 : 153) : 0
  const label = (task: Task) => idOf(task.job, task.index)
  // Without -t an array is one line, with the state of its most active task.
  const lines = options.has('t')
    ? shown.map((task) => ({ task, id: label(task) }))
    : [...Map.groupBy(shown, ({ job }) => job)].flatMap(([job, tasks]) => {
        const [task] = tasks.toSorted((a, b) => liveliness(b) - liveliness(a))
        return task ? [{ task, id: job.indices ? idOf(job) : label(task) }] : []
      })
  const stderr = errors.join('')
  if (options.text('F') === 'json') {
    const jobs = Object.fromEntries(lines.map(({ task, id }) => [id, attributesOf(task, call, flavour)]))
    const document = {
      timestamp: Math.floor(Date.now() / 1000),
      pbs_version: '22.05.11',
      pbs_server: server,
      Jobs: jobs,
    }
    return {
      stdout: lines.length > 0 || errors.length === 0 ? `${JSON.stringify(document, null, 4)}\n` : '',
      stderr,
      code,
    }
  }
  if (options.has('f')) {
    const paragraph = ({ task, id }: (typeof lines)[number]) =>
      [
        `Job Id: ${id}`,
        ...Object.entries(attributesOf(task, call, flavour)).map(([name, value]) => `    ${name} = ${value}`),
        '',
        '',
      ].join('\n')
    return { stdout: lines.map(paragraph).join(''), stderr, code }
  }
  if (lines.length === 0) return { stderr, code }
  const head = [
    ['Job id', 'Name', 'User', 'Time Use', 'S', 'Queue'],
    ['----------------', '----------------', '---------------', '--------', '-', '-----'],
  ]
  const rows = lines.map(({ task, id }) => [
    id,
    task.job.name,
    call.user,
    clock(ran(task)),
    stateLetter(task, flavour),
    task.job.queue,
  ])
  return { stdout: columns([17, 16, 16, -8, 1, 14], [...head, ...rows]), stderr, code }
}

const liveliness = ({ state }: Moment) => ({ ended: 0, held: 1, pending: 2, running: 3 })[state]

function pbsnodes({ queue, args }: Call, flavour: Flavour): Answer {
  const options = readOptions('pbsnodes', args, { a: 'a!', F: 'F' })
  const nodes = queue.nodes.map((node) => {
    const used = coresInUse(node)
    const busy = flavour === 'pbs' ? 'job-busy' : 'job-exclusive'
    return { ...node, used, state: !node.up ? 'down' : used >= node.cores ? busy : 'free' }
  })
  if (options.text('F') === 'json') {
    const list = nodes.map(({ name, state, cores, memoryMb, used }) => [
      name,
      {
        Mom: name,
        state,
        resources_available: { ncpus: cores, mem: `${memoryMb * 1024}kb` },
        resources_assigned: { ncpus: used },
      },
    ])
    return {
      stdout: `${JSON.stringify({ pbs_version: '22.05.11', pbs_server: server, nodes: Object.fromEntries(list) }, null, 4)}\n`,
    }
  }
  const paragraphs = nodes.map(({ name, state, cores, running }) => {
    let core = 0
    const jobs = [...running].flatMap(({ job, index }) =>
      Array.from({ length: job.demand.coresPerNode }, () => `${core++}/${idOf(job, index)}`),
    )
    return [
      name,
      `     state = ${state}`,
      `     np = ${cores}`,
      ...(jobs.length > 0 ? [`     jobs = ${jobs.join(', ')}`] : []),
      '',
      '',
    ].join('\n')
  })
  return { stdout: paragraphs.join('') }
}

async function interactive(call: Call, options: Options, flavour: Flavour): Promise<Answer> {
  const submit = (onStart: (task: Task) => void) =>
    tryToSubmit(call, flavour, {
      name: options.text('N') ?? 'STDIN',
      folder: call.folder,
      demand: readDemand(options),
      requeue: false,
      environment: () => ({}),
      queue: options.text('q') ?? 'practice',
      onStart,
    })
  return await runInteractively(call, submit, {
    waiting: (job) => `qsub: waiting for job ${idOf(job)} to start\n`,
    ready: (job) => `qsub: job ${idOf(job)} ready\n\n`,
    ended: (job) => `\nqsub: job ${idOf(job)} completed\n`,
    run: (task) => ({ command: ['sh'], environment: jobEnvironment(task, call, flavour) }),
  })
}

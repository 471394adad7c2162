/** HTCondor's commands over the practice queue, with a DAGMan that follows a file of jobs that wait for each other. */
import { appendFileSync } from 'node:fs'
import { access, constants as modes, readFile, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, resolve } from 'node:path'
import {
  type Answer,
  accounted,
  type Call,
  CommandError,
  type CommandProgram,
  columns,
  endTogether,
  ran,
  readMemory,
  readOptions,
  shortClock,
} from './commands.ts'
import type { Job, Moment, Task } from './queue.ts'

export const htcondorCommands: Record<string, CommandProgram> = {
  condor_submit: submit,
  condor_submit_dag: submitDag,
  condor_q: (call) => list(call, 'queue'),
  condor_history: (call) => list(call, 'history'),
  condor_rm: act(
    ({ queue }, tasks) => queue.cancel(tasks),
    'All jobs matching constraint have been marked for removal',
    'marked for removal',
  ),
  condor_hold: act(({ queue }, tasks) => queue.hold(tasks), 'All jobs matching constraint have been held', 'held'),
  condor_release: act(
    ({ queue }, tasks) => queue.release(tasks),
    'All jobs matching constraint have been released',
    'released',
  ),
  condor_status: status,
}

/** HTCondor's options are words behind one minus. */
const twoMinuses = (args: string[]) => args.map((word) => word.replace(/^-(?=[a-z]{2})/i, '--'))

interface Description {
  commands: Map<string, string>
  /** The variables of each process. */
  rows: Record<string, string>[]
}

async function submit(call: Call): Promise<Answer> {
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

async function submitFile(call: Call, file: string, notes: Record<string, unknown>): Promise<Job> {
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
      // No machine is in another pool than this.
      coresPerNode:
        pool === undefined || pool === 'practice' ? Number(commands.get('request_cpus') ?? 1) : Number.MAX_SAFE_INTEGER,
      memoryMb: commands.has('request_memory') ? readMemory(commands.get('request_memory') ?? '') : undefined,
      walltimeMs: walltime === undefined ? undefined : Number(walltime) * 1000,
    },
    indices: rows.map((_, at) => at),
    environment: (task) => ({
      ...readEnvironment(fill(commands.get('environment') ?? '', task)),
      ...{
        _CONDOR_SLOT: `slot1@${task.nodes[0]}`,
        PRACTICE_NODE: task.nodes[0] ?? '',
        PRACTICE_NODES: task.nodes.join(','),
      },
    }),
    output: (task) => ({
      out: resolve(folder, fill(commands.get('output') ?? '/dev/null', task)),
      err: resolve(folder, fill(commands.get('error') ?? '/dev/null', task)),
    }),
    queue: 'practice',
    held: /^true$/i.test(commands.get('hold') ?? ''),
    requeue: !removal.includes('NumJobStarts > 0'),
    // A job that no machine can run waits: one may be added. So it does when it asks for a pool that is not there.
    mayWaitForEver: true,
    notes: {
      ...notes,
      ...{ tasks: rows.map((row) => row.TASK_ID), taskId: commands.has('+taskid') },
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

/** The job's event log. */
function writeEvent(file: string, task: Task) {
  const { job, index = 0, state, outcome } = task
  const pad = (value: number, width: number) => String(value).padStart(width, '0')
  const [date = '', time = ''] = new Date().toISOString().split(/[T.]/)
  const event = (code: string, what: string) =>
    `${code} (${pad(job.id, 4)}.${pad(index, 3)}.000) ${date} ${time} ${what}\n...\n`
  const ends = {
    exit: () =>
      event(
        '005',
        `Job terminated.\n\t(1) Normal termination (return value ${outcome?.how === 'exit' ? outcome.code : ''})`,
      ),
    signal: () => event('005', `Job terminated.\n\t(0) Abnormal termination (signal ${signalOf(outcome)})`),
  }
  const text =
    state === 'running'
      ? event('001', `Job executing on host: <${task.nodes[0]}>`)
      : state === 'held'
        ? event('012', 'Job was held.')
        : state === 'ended'
          ? outcome?.how === 'exit' || outcome?.how === 'signal'
            ? ends[outcome.how]()
            : event('009', `Job was aborted.\n\t${removeReason(task)}`)
          : task.history.length <= 1
            ? event('000', 'Job submitted from host: <login>')
            : task.restarts > 0 && task.reason === 'none'
              ? event('004', 'Job was evicted.')
              : ''
  if (text === '') return
  try {
    appendFileSync(file, text)
  } catch {
    // Its folder has gone.
  }
}

const signalOf = (outcome: Moment['outcome']) => (outcome?.how === 'signal' ? constants.signals[outcome.signal] : 0)

function removeReason({ outcome }: Moment): string {
  if (outcome?.how === 'timeout' || outcome?.how === 'node') {
    return 'The job attribute PeriodicRemove expression evaluated to TRUE'
  }
  return 'via condor_rm (by user practice)'
}

type Ad = Record<string, string | number | boolean>

function adOf(task: Task, moment: Moment): Ad {
  const { job, index = 0 } = task
  const { state, outcome, nodes } = moment
  const notes = job.notes ?? {}
  const codes = { pending: 1, running: 2, held: 5, ended: 4 }
  const byItself = outcome?.how === 'exit' || outcome?.how === 'signal'
  const ad: Ad = {
    ClusterId: job.id,
    ProcId: index,
    JobStatus: codes[state],
    JobBatchName: job.name,
    Owner: 'practice',
    Iwd: job.folder,
  }
  if (notes.taskId) ad.TaskId = Number((notes.tasks as string[])[index])
  if (typeof notes.dagNode === 'string') ad.DAGNodeName = notes.dagNode
  if (typeof notes.dagman === 'number') ad.DAGManJobId = notes.dagman
  const host = nodes.length > 0 ? `slot1@${nodes[0]}` : undefined
  if (host && state === 'running') ad.RemoteHost = host
  else if (host) ad.LastRemoteHost = host
  if (state === 'held') Object.assign(ad, { HoldReason: 'via condor_hold (by user practice)', HoldReasonCode: 1 })
  if (state !== 'ended') return ad
  ad.LastJobStatus = outcome?.how === 'node' ? 1 : task.startedAt === undefined ? 1 : 2
  if (outcome?.how === 'exit') Object.assign(ad, { ExitBySignal: false, ExitCode: outcome.code })
  if (outcome?.how === 'signal') Object.assign(ad, { ExitBySignal: true, ExitSignal: signalOf(outcome) })
  // For what it used it is put on hold, and stays in the queue.
  if (outcome?.how === 'memory')
    Object.assign(ad, {
      JobStatus: 5,
      HoldReasonCode: 34,
      HoldReason: 'Error from slot1: Job has gone over memory limit',
    })
  else if (!byItself) Object.assign(ad, { JobStatus: 3, RemoveReason: removeReason(task) })
  return ad
}

function list(call: Call, which: 'queue' | 'history'): Answer {
  const program = which === 'queue' ? 'condor_q' : 'condor_history'
  const names = {
    json: '!',
    attributes: '',
    constraint: '',
    'better-analyze': '!',
    nobatch: '!',
    hold: '!',
    dag: '!',
    all: '!',
  }
  const options = readOptions(program, twoMinuses(call.args), names)
  const constraint = options.text('constraint')
  const matches = constraint === undefined ? () => true : compile(constraint)
  const tasks = [...call.queue.jobs.values()].flatMap((job) => job.tasks)
  const rows = tasks.flatMap((task) => {
    const moment = which === 'history' ? accounted(task, call.faults) : task
    if (!moment) return []
    const ad = adOf(task, moment)
    const inQueue = moment.state !== 'ended' || ad.JobStatus === 5
    const wanted =
      options.operands.length === 0 ||
      options.operands.some((id) => id === `${ad.ClusterId}` || id === `${ad.ClusterId}.${ad.ProcId}`)
    // What has ended leaves the queue at once, whether or not the history knows it yet.
    const here = which === 'queue' ? inQueue : moment.state === 'ended' && !inQueue
    return here && wanted && matches(ad) ? [{ task, ad }] : []
  })
  if (options.has('better-analyze')) return { stdout: rows.map(({ task }) => analysis(task, call)).join('\n') }
  if (options.has('json')) {
    const attributes = options.text('attributes')?.split(',')
    const chosen = rows.map(({ ad }) =>
      Object.fromEntries(Object.entries(ad).filter(([name]) => !attributes || attributes.includes(name))),
    )
    // As some versions do: of nothing they print nothing.
    return { stdout: chosen.length === 0 ? '' : `${JSON.stringify(chosen, null, 2)}\n` }
  }
  const letters = ['?', 'I', 'R', 'X', 'C', 'H']
  const head = ['ID', 'OWNER', 'RUN_TIME', 'ST', 'CMD']
  const body = rows.map(({ task, ad }) => [
    `${ad.ClusterId}.${ad.ProcId}`,
    'practice',
    shortClock(ran(task)),
    letters[Number(ad.JobStatus)] ?? '?',
    task.job.name,
  ])
  const title = which === 'queue' ? `\n-- Schedd: practice : <127.0.0.1>\n` : ''
  const count = (code: number) => rows.filter(({ ad }) => ad.JobStatus === code).length
  const total =
    which === 'queue'
      ? `\nTotal for query: ${rows.length} jobs; ${count(1)} idle, ${count(2)} running, ${count(5)} held\n`
      : ''
  return { stdout: title + columns([10, 12, -10, 2, 20], [head, ...body]) + total }
}

function analysis(task: Task, { queue }: Call): string {
  const { job, index = 0, state } = task
  const { coresPerNode, memoryMb = 0, nodes } = job.demand
  const able = queue.nodes.filter((node) => node.up && node.cores >= coresPerNode && node.memoryMb >= memoryMb).length
  const lines = [
    `-- Schedd: practice : <127.0.0.1>`,
    `The Requirements expression for job ${job.id}.${index} reduces to these conditions:`,
    '',
  ]
  lines.push(`    TARGET.Cpus >= ${coresPerNode} && TARGET.Memory >= ${memoryMb}`, '')
  if (state === 'held')
    lines.push(`${job.id}.${index}:  Job is held.`, '', 'Hold reason: via condor_hold (by user practice)')
  else if (state === 'running') lines.push(`${job.id}.${index}:  Job is running.`)
  else {
    lines.push(`${job.id}.${index}:  Run analysis summary.  Of ${queue.nodes.length} machines,`)
    lines.push(
      `  ${queue.nodes.length - able} are rejected by your job's requirements`,
      `  ${able} are able to run your job`,
    )
    if (able < nodes) lines.push('', 'WARNING:  Be advised:', "   No machines matched the jobs's constraints")
  }
  return `${lines.join('\n')}\n`
}

/** Comparisons with ==, joined by && and ||, in parentheses. */
function compile(text: string): (ad: Ad) => boolean {
  const tokens = text.match(/\(|\)|&&|\|\||==|"[^"]*"|[\w.]+/g) ?? []
  let at = 0
  type Test = (ad: Ad) => boolean
  const wrong = () => new CommandError(`Error: Parse error of: ${text}`)
  function either(): Test {
    const tests = [both()]
    while (tokens[at] === '||') {
      at++
      tests.push(both())
    }
    return (ad) => tests.some((test) => test(ad))
  }
  function both(): Test {
    const tests = [one()]
    while (tokens[at] === '&&') {
      at++
      tests.push(one())
    }
    return (ad) => tests.every((test) => test(ad))
  }
  function one(): Test {
    if (tokens[at] === '(') {
      at++
      const inner = either()
      if (tokens[at++] !== ')') throw wrong()
      return inner
    }
    const [name, equals, value] = tokens.slice(at, at + 3)
    at += 3
    if (name === undefined || equals !== '==' || value === undefined) throw wrong()
    return (ad) => String(ad[name]) === value.replaceAll('"', '')
  }
  const test = either()
  if (at !== tokens.length) throw wrong()
  return test
}

/** condor_rm, condor_hold and condor_release: on clusters, on processes, or where a constraint holds. */
function act(apply: (call: Call, tasks: Task[]) => void, all: string, done: string): CommandProgram {
  return (call) => {
    const options = readOptions(call.program, twoMinuses(call.args), { constraint: '', all: '!' })
    const constraint = options.text('constraint')
    const live = [...call.queue.jobs.values()].flatMap(({ tasks }) => tasks).filter(({ state }) => state !== 'ended')
    if (constraint !== undefined) {
      const matches = compile(constraint)
      apply(
        call,
        live.filter((task) => matches(adOf(task, task))),
      )
      return { stdout: `${all} (${constraint})\n` }
    }
    const lines = options.operands.map((id) => {
      const tasks = live.filter(({ job, index = 0 }) => id === `${job.id}` || id === `${job.id}.${index}`)
      if (tasks.length === 0)
        return { stderr: `Couldn't find/${call.program.replace('condor_', '')} all jobs in cluster ${id}\n` }
      apply(call, tasks)
      return { stdout: `All jobs in cluster ${id} have been ${done}\n` }
    })
    const stderr = lines.map((line) => line.stderr ?? '').join('')
    return { stdout: lines.map((line) => line.stdout ?? '').join(''), stderr, code: stderr === '' ? 0 : 1 }
  }
}

function status({ queue, args }: Call): Answer {
  const options = readOptions('condor_status', twoMinuses(args), { json: '!', attributes: '', compact: '!' })
  const slots = queue.nodes
    .filter(({ up }) => up)
    .map(({ name, cores, memoryMb, running }) => {
      const used = [...running].reduce((sum, { job }) => sum + job.demand.coresPerNode, 0)
      return {
        Name: `slot1@${name}`,
        Machine: name,
        State: 'Unclaimed',
        Activity: 'Idle',
        TotalCpus: cores,
        Cpus: cores - used,
        TotalMemory: memoryMb,
      }
    })
  if (options.has('json')) return { stdout: `${JSON.stringify(slots, null, 2)}\n` }
  const head = ['Name', 'OpSys', 'State', 'Activity', 'Cpus', 'Free']
  const rows = slots.map(({ Name, State, Activity, TotalCpus, Cpus }) => [
    Name,
    process.platform,
    State,
    Activity,
    TotalCpus,
    Cpus,
  ])
  return { stdout: columns([18, 10, 10, 8, -5, -5], [head, ...rows]) }
}

interface Node {
  name: string
  file: string
  parents: string[]
  job?: Job
}

/** DAGMan is a job of its own, which submits the others as their parents succeed. It needs no core. */
async function submitDag(call: Call): Promise<Answer> {
  const [file = ''] = readOptions('condor_submit_dag', twoMinuses(call.args), { force: 'f!' }).operands
  const path = resolve(call.folder, file)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) throw new CommandError(`ERROR: "${file}" does not exist`)
  const nodes = readDag(text)
  const inFolder = { ...call, folder: dirname(path) }
  const log = (line: string) =>
    appendFileSync(`${path}.dagman.out`, `${new Date().toISOString().slice(0, 19).replace('T', ' ')} ${line}\n`)
  const dagman = call.queue.submit({
    ...{ name: `${file}+DAGMan`, folder: call.folder, queue: 'practice', indices: [0], environment: () => ({}) },
    ...{ demand: { nodes: 1, coresPerNode: 0, ranksPerNode: 1 }, notes: {}, requeue: false },
    onStart: (task) => void follow(task),
  })

  async function follow(task: Task) {
    const ended = (job: Job | undefined) => job?.tasks.every(({ state }) => state === 'ended') ?? false
    const succeeded = (job: Job | undefined) =>
      ended(job) && job?.tasks.every(({ outcome }) => outcome?.how === 'exit' && outcome.code === 0) === true
    let step = Promise.withResolvers<void>()
    task.hangUp = () => {
      for (const { job } of nodes) if (job) call.queue.cancel(job.tasks)
      step.resolve()
    }
    const onChange = () => step.resolve()
    call.queue.on('change', onChange)
    try {
      for (;;) {
        step = Promise.withResolvers<void>()
        for (const node of nodes) {
          const parents = nodes.filter(({ name }) => node.parents.includes(name))
          if (node.job || task.ending || !parents.every(({ job }) => succeeded(job))) continue
          node.job = await submitFile(inFolder, node.file, { dagman: task.job.id, dagNode: node.name })
          log(`Submitting HTCondor Node ${node.name} job(s)... assigned HTCondor ID (${node.job.id}.0.0)`)
        }
        if (nodes.every(({ job }) => !job || ended(job))) break
        await step.promise
      }
    } finally {
      call.queue.off('change', onChange)
    }
    const open = nodes.filter(({ job }) => !succeeded(job))
    if (open.length > 0) {
      const done = nodes.filter(({ job }) => succeeded(job)).map(({ name }) => `DONE ${name}\n`)
      await writeFile(`${path}.rescue001`, `# Rescue DAG file, to go on where ${file} stopped\n${done.join('')}`).catch(
        () => {},
      )
      log(`ERROR: the following ${open.length} node(s) did not succeed: ${open.map(({ name }) => name).join(', ')}`)
    } else log('All jobs Completed!')
    call.queue.finish(task, { how: 'exit', code: open.length > 0 ? 1 : 0 })
  }

  const line = '-----------------------------------------------------------------------'
  return {
    stdout: `\n${line}\nLog of DAGMan debugging messages                   : ${file}.dagman.out\n\nSubmitting job(s).\n1 job(s) submitted to cluster ${dagman.id}.\n${line}\n`,
  }
}

function readDag(text: string): Node[] {
  const nodes: Node[] = []
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/)
    const [, name = '', file = ''] = words
    if (/^job$/i.test(words[0] ?? '')) nodes.push({ name, file, parents: [] })
    else if (/^parent$/i.test(words[0] ?? '')) {
      const at = words.findIndex((word) => /^child$/i.test(word))
      for (const node of nodes) if (words.slice(at + 1).includes(node.name)) node.parents.push(...words.slice(1, at))
    } else if (line.trim() !== '' && !line.startsWith('#'))
      throw new CommandError(`ERROR: invalid line in DAG file: ${line}`)
  }
  if (nodes.length === 0) throw new CommandError('ERROR: no nodes in the DAG file')
  return nodes
}

async function interactive(call: Call): Promise<Answer> {
  const started = Promise.withResolvers<Task>()
  const job = call.queue.submit({
    ...{
      name: 'interactive',
      folder: call.folder,
      queue: 'practice',
      indices: [0],
      requeue: false,
      environment: () => ({}),
    },
    ...{ demand: { nodes: 1, coresPerNode: 1, ranksPerNode: 1 }, notes: {}, onStart: started.resolve },
  })
  const [task] = job.tasks
  if (!task) return {}
  endTogether(call, job, task)
  call.say(`Submitting job(s).\n1 job(s) submitted to cluster ${job.id}.\nWaiting for job to start...\n`)
  if (task.state !== 'running') await started.promise
  call.say(`Welcome to slot1@${task.nodes[0]}!\n`)
  const code = await call.run([
    { command: ['sh'], environment: { _CONDOR_SLOT: `slot1@${task.nodes[0]}`, PRACTICE_NODE: task.nodes[0] ?? '' } },
  ])
  call.queue.finish(task, { how: 'exit', code })
  return { code }
}

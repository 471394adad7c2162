/** HTCondor's commands for the practice queue, other than submitting: lists, and operations on jobs. */
import {
  type Answer,
  accounted,
  type Call,
  CommandError,
  type CommandProgram,
  columns,
  ran,
  readOptions,
  shortClock,
} from '../commands.ts'
import { coresInUse, type Moment, type Task } from '../queue.ts'
import { submitDag } from './dag.ts'
import { holdOf, removeReason, signalOf, submit, twoMinuses } from './submit.ts'

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
  if (state === 'held') Object.assign(ad, holdOf(moment))
  if (state !== 'ended') return ad
  ad.LastJobStatus = outcome?.how === 'node' ? 1 : task.startedAt === undefined ? 1 : 2
  if (outcome?.how === 'exit') Object.assign(ad, { ExitBySignal: false, ExitCode: outcome.code })
  if (outcome?.how === 'signal') Object.assign(ad, { ExitBySignal: true, ExitSignal: signalOf(outcome) })
  // A job that used too much memory is put on hold and stays in the queue.
  if (outcome?.how === 'memory') Object.assign(ad, { JobStatus: 5 }, holdOf(moment))
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
    // A job that has ended leaves the queue at once, even if it is not in the history yet.
    const here = which === 'queue' ? inQueue : moment.state === 'ended' && !inQueue
    return here && wanted && matches(ad) ? [{ task, ad }] : []
  })
  if (options.has('better-analyze')) return { stdout: rows.map(({ task }) => analysis(task, call)).join('\n') }
  if (options.has('json')) {
    const attributes = options.text('attributes')?.split(',')
    const chosen = rows.map(({ ad }) =>
      Object.fromEntries(Object.entries(ad).filter(([name]) => !attributes || attributes.includes(name))),
    )
    // Some versions print nothing for an empty list.
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

/** Reads a constraint: comparisons with ==, joined by && and ||, with parentheses. */
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

/** condor_rm, condor_hold and condor_release, which take clusters, processes, or a constraint. */
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
    .map((node) => ({
      Name: `slot1@${node.name}`,
      Machine: node.name,
      State: 'Unclaimed',
      Activity: 'Idle',
      TotalCpus: node.cores,
      Cpus: node.cores - coresInUse(node),
      TotalMemory: node.memoryMb,
    }))
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

/**
 * The queue behind the practice cluster. It has nodes with cores and memory, takes jobs in order of submission, and
 * runs each as a real process as soon as it fits. Nodes are only names: all jobs run on this machine.
 *
 * A task is pending or held, then running, then ended. A requeued task is pending again.
 */
import { execFile } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { promisify } from 'node:util'
import { after, type Timer } from '@repo/common/async/timer'
import { type Child, startServer } from '@repo/common/process/child'

export interface PracticeNode {
  name: string
  cores: number
  memoryMb: number
  up: boolean
  running: Set<Task>
}

/** What must be free on each of a job's nodes. */
export interface Demand {
  nodes: number
  coresPerNode: number
  ranksPerNode: number
  /** The job's memory is monitored only if this is given. */
  memoryMb?: number | undefined
  walltimeMs?: number | undefined
}

/**
 * When a job may begin, seen from the job with the id `on`: it succeeded, it did not succeed, or it ended in any way.
 */
export interface Dependency {
  on: number
  when: 'ok' | 'not ok' | 'any'
}

export interface Submission {
  name: string
  folder: string
  /** Undefined for an interactive job, whose program runs elsewhere once `onStart` is called. */
  program?: string[]
  demand: Demand
  /** The scheduler's variables in the job's environment. */
  environment: (task: Task) => Record<string, string>
  output?: (task: Task) => { out: string; err: string }
  /** The indices of an array. */
  indices?: number[] | undefined
  /** How many tasks of an array may run at once. */
  atOnce?: number | undefined
  dependencies?: Dependency[]
  /** Whether to cancel a job that can never begin; otherwise it waits for ever. */
  cancelWhenImpossible?: boolean
  held?: boolean
  requeue?: boolean
  /** The job is sent SIGTERM this long before its walltime ends. */
  warnMs?: number | undefined
  queue: string
  onStart?: (task: Task) => void
  onChange?: ((task: Task) => void) | undefined
  /** Whether to accept a job that no node could ever run. */
  mayWaitForEver?: boolean
  /** What the scheduler's commands need to remember. */
  notes?: Record<string, unknown>
}

export interface Job extends Submission {
  id: number
  tasks: Task[]
}

export type Outcome =
  | { how: 'exit'; code: number }
  | { how: 'signal'; signal: NodeJS.Signals }
  | { how: 'cancelled' | 'timeout' | 'memory' | 'node' }

export interface Moment {
  at: number
  state: 'pending' | 'held' | 'running' | 'ended'
  reason: Reason
  nodes: string[]
  outcome?: Outcome | undefined
}

export type Reason = 'none' | 'resources' | 'priority' | 'dependency' | 'never' | 'held' | 'limit' | 'nodes down'

export interface Task extends Moment {
  job: Job
  index?: number
  startedAt?: number | undefined
  endedAt?: number | undefined
  restarts: number
  /** Its states since submission: accounting that lags behind shows an older one. */
  history: Moment[]
  process?: Child | undefined
  /** Ends what an interactive job runs. */
  hangUp?: () => void
  /** Set when the queue ends the task: its outcome once the process is gone. */
  ending?: Outcome | 'requeue' | undefined
  timers: Timer[]
}

export interface QueueOptions {
  nodes: { name: string; cores: number; memoryMb: number }[]
  environment: Record<string, string | undefined>
  /** Time between SIGTERM and SIGKILL, at the end of the walltime and after a cancellation. */
  killWaitMs?: number
  /** The queue refuses a job when this many have not ended yet. */
  mostJobs?: number
}

const memoryEveryMs = 250
const requeueDelayMs = 200

/** The queue does not accept a job; the scheduler's commands put it into words. */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly why: 'too large' | 'too many jobs' | 'no such queue' | 'no such job'
  constructor(why: RefusedError['why']) {
    super(why)
    this.why = why
  }
}

export class BatchQueue extends EventEmitter<{ change: [Task] }> implements AsyncDisposable {
  readonly nodes: PracticeNode[]
  readonly jobs = new Map<number, Job>()
  readonly queues = ['practice']
  #nextId = 1
  #closed = false
  #runs = new Set<Promise<void>>()
  #environment: QueueOptions['environment']
  #killWaitMs: number
  #mostJobs: number
  #memoryTimer: NodeJS.Timeout

  constructor({ nodes, environment, killWaitMs = 2_000, mostJobs = 10_000 }: QueueOptions) {
    super()
    this.setMaxListeners(0)
    this.nodes = nodes.map((node) => ({ ...node, up: true, running: new Set<Task>() }))
    this.#environment = environment
    this.#killWaitMs = killWaitMs
    this.#mostJobs = mostJobs
    this.#memoryTimer = setInterval(() => void this.#watchMemory(), memoryEveryMs).unref()
  }

  submit(submission: Submission): Job {
    const { demand } = submission
    if (!this.queues.includes(submission.queue)) throw new RefusedError('no such queue')
    const large = this.nodes.filter((node) => fits(node, demand))
    if (large.length < demand.nodes && !submission.mayWaitForEver) throw new RefusedError('too large')
    const open = [...this.jobs.values()].filter(({ tasks }) => tasks.some(({ state }) => state !== 'ended'))
    if (open.length >= this.#mostJobs) throw new RefusedError('too many jobs')

    const job: Job = { ...submission, id: this.#nextId++, tasks: [] }
    const indices: (number | undefined)[] = submission.indices ?? [undefined]
    for (const index of indices) {
      const task: Task = {
        job,
        state: 'pending',
        reason: 'none',
        at: Date.now(),
        nodes: [],
        restarts: 0,
        history: [],
        timers: [],
        ...(index === undefined ? {} : { index }),
      }
      job.tasks.push(task)
      this.#become(task, submission.held ? { state: 'held', reason: 'held' } : {})
    }
    this.jobs.set(job.id, job)
    this.schedule()
    return job
  }

  job(id: number): Job {
    const job = this.jobs.get(id)
    if (!job) throw new RefusedError('no such job')
    return job
  }

  cancel(tasks: Task[]) {
    for (const task of tasks) this.#end(task, { how: 'cancelled' })
    this.schedule()
  }

  hold(tasks: Task[]) {
    for (const task of tasks) if (task.state === 'pending') this.#become(task, { state: 'held', reason: 'held' })
  }

  release(tasks: Task[]) {
    for (const task of tasks) if (task.state === 'held') this.#become(task, { state: 'pending', reason: 'none' })
    this.schedule()
  }

  /** Kills a node with everything that runs on it: jobs that may be requeued wait again, the others fail. */
  failNode(name: string) {
    const node = this.nodes.find((each) => each.name === name)
    if (!node) throw new Error(`no node ${name}; there are ${this.nodes.map((each) => each.name).join(', ')}`)
    node.up = false
    for (const task of node.running) {
      task.ending ??= task.job.requeue ? 'requeue' : { how: 'node' }
      signal(task, 'SIGKILL')
      task.hangUp?.()
    }
  }

  restoreNode(name: string) {
    for (const node of this.nodes) if (node.name === name) node.up = true
    this.schedule()
  }

  /** Starts what fits, first come, first served: later jobs wait behind one that does not fit yet. */
  schedule() {
    if (this.#closed) return
    let blocked = false
    for (const job of this.jobs.values()) {
      const pending = job.tasks.filter(({ state }) => state === 'pending')
      if (pending.length === 0) continue
      const condition = this.#condition(job)
      const enoughUp = this.nodes.filter((node) => node.up && fits(node, job.demand)).length >= job.demand.nodes
      let running = job.tasks.filter(({ state }) => state === 'running').length
      for (const task of pending) {
        if (condition === 'never' && job.cancelWhenImpossible) this.#end(task, { how: 'cancelled' })
        else if (condition !== 'none') this.#become(task, { reason: condition })
        else if (running >= (job.atOnce ?? Number.POSITIVE_INFINITY)) this.#become(task, { reason: 'limit' })
        else if (!enoughUp) this.#become(task, { reason: 'nodes down' })
        else if (blocked) this.#become(task, { reason: 'priority' })
        else {
          const nodes = this.nodes.filter((node) => node.up && fits(node, job.demand, true)).slice(0, job.demand.nodes)
          blocked = nodes.length < job.demand.nodes
          if (blocked) this.#become(task, { reason: 'resources' })
          else {
            running++
            this.#start(task, nodes)
          }
        }
      }
    }
  }

  /** `none` when the jobs that this one waits for have ended as required; otherwise why it waits. */
  #condition(job: Job): Reason {
    for (const { on, when } of job.dependencies ?? []) {
      const tasks = this.jobs.get(on)?.tasks ?? []
      if (!tasks.every(({ state }) => state === 'ended')) return 'dependency'
      const ok = tasks.length > 0 && tasks.every(({ outcome }) => outcome?.how === 'exit' && outcome.code === 0)
      if (when !== 'any' && ok !== (when === 'ok')) return 'never'
    }
    return 'none'
  }

  #start(task: Task, nodes: PracticeNode[]) {
    const { job } = task
    task.startedAt = Date.now()
    for (const node of nodes) node.running.add(task)
    this.#become(task, { state: 'running', reason: 'none', nodes: nodes.map(({ name }) => name) })
    const { walltimeMs } = job.demand
    if (walltimeMs !== undefined) {
      if (job.warnMs !== undefined) {
        task.timers.push(after(Math.max(0, walltimeMs - job.warnMs), () => signal(task, 'SIGTERM', 'leader')))
      }
      task.timers.push(after(walltimeMs, () => this.#end(task, { how: 'timeout' })))
    }
    if (!job.program) return job.onStart?.(task)
    const run = this.#run(task, job.program).finally(() => this.#runs.delete(run))
    this.#runs.add(run)
  }

  async #run(task: Task, program: string[]) {
    const { job } = task
    const { out, err } = job.output?.(task) ?? { out: '/dev/null', err: '/dev/null' }
    const script = 'out=$1 err=$2; shift 2; exec "$@" >>"$out" 2>>"$err" </dev/null'
    try {
      task.process = await startServer({
        command: 'sh',
        args: ['-c', script, 'job', out, err, ...program],
        cwd: job.folder,
        env: { ...this.#environment, ...job.environment(task) },
        ready: async () => true,
        stopTimeoutMs: 100,
      })
    } catch {
      // Its folder has gone, or its process ended before it was seen.
      this.finish(task, { how: 'exit', code: 127 })
      return
    }
    // The queue has ended the task while its process was starting.
    if (task.ending || this.#closed) signal(task, 'SIGKILL')
    const { code, signal: name } = await task.process.exited
    this.finish(task, name ? { how: 'signal', signal: name } : { how: 'exit', code: code ?? 0 })
  }

  /** Records that a task's process has ended. If the queue ended it, that counts, not how the process ended. */
  finish(task: Task, outcome: Outcome) {
    if (task.state !== 'running') return
    for (const timer of task.timers.splice(0)) timer.clear()
    for (const node of this.nodes) node.running.delete(task)
    task.process = undefined
    const { ending } = task
    task.ending = undefined
    if (ending === 'requeue') {
      task.restarts++
      this.#become(task, { state: 'pending', reason: 'none', nodes: [] })
      // Not at once, as with real schedulers: all parts of the system must first learn of the node's failure.
      setTimeout(() => this.schedule(), requeueDelayMs).unref()
      return
    }
    task.endedAt = Date.now()
    this.#become(task, { state: 'ended', reason: 'none', outcome: ending ?? outcome })
    this.schedule()
  }

  #end(task: Task, outcome: Outcome) {
    if (task.state === 'ended') return
    if (task.state !== 'running') {
      task.endedAt = Date.now()
      this.#become(task, { state: 'ended', reason: task.reason, outcome })
      return
    }
    if (task.ending) return
    task.ending = outcome
    task.hangUp?.()
    signal(task, 'SIGTERM')
    task.timers.push(after(this.#killWaitMs, () => signal(task, 'SIGKILL')))
  }

  #become(task: Task, change: Partial<Moment>) {
    const before = task.history.at(-1)
    Object.assign(task, change)
    if (before && before.state === task.state && before.reason === task.reason) return
    task.at = Date.now()
    const { at, state, reason, nodes, outcome } = task
    task.history.push({ at, state, reason, nodes, outcome })
    task.job.onChange?.(task)
    this.emit('change', task)
  }

  /** Ends tasks whose processes together use more memory than they asked for. */
  async #watchMemory() {
    const watched = [...this.jobs.values()].flatMap(({ demand, tasks }) =>
      demand.memoryMb === undefined ? [] : tasks.filter(({ state, process }) => state === 'running' && process),
    )
    if (watched.length === 0) return
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,rss=']).catch(() => ({ stdout: '' }))
    const kilobytes = new Map<number, number>()
    for (const line of stdout.split('\n')) {
      const [group = 0, resident = 0] = line.trim().split(/\s+/).map(Number)
      kilobytes.set(group, (kilobytes.get(group) ?? 0) + resident)
    }
    for (const task of watched) {
      const used = kilobytes.get(task.process?.pid ?? 0) ?? 0
      if (used <= (task.job.demand.memoryMb ?? Number.POSITIVE_INFINITY) * 1024) continue
      task.ending ??= { how: 'memory' }
      signal(task, 'SIGKILL')
    }
  }

  async [Symbol.asyncDispose]() {
    this.#closed = true
    clearInterval(this.#memoryTimer)
    const running = [...this.jobs.values()].flatMap(({ tasks }) => tasks.filter(({ state }) => state === 'running'))
    for (const task of running) {
      for (const timer of task.timers) timer.clear()
      signal(task, 'SIGKILL')
      task.hangUp?.()
    }
    await Promise.all(this.#runs)
  }
}

/** How many cores of a node are in use. */
export function coresInUse({ running }: PracticeNode): number {
  return [...running].reduce((sum, { job }) => sum + job.demand.coresPerNode, 0)
}

/** Whether a node has what a job asks for: at all, or free right now. */
function fits(node: PracticeNode, { coresPerNode, memoryMb = 0 }: Demand, now = false): boolean {
  const cores = now ? coresInUse(node) : 0
  const memory = now ? [...node.running].reduce((sum, { job }) => sum + (job.demand.memoryMb ?? 0), 0) : 0
  return cores + coresPerNode <= node.cores && memory + memoryMb <= node.memoryMb
}

function signal({ process: child }: Task, name: NodeJS.Signals, to: 'group' | 'leader' = 'group') {
  if (!child) return
  try {
    process.kill(to === 'group' ? -child.pid : child.pid, name)
  } catch {
    // It has ended in the meantime.
  }
}

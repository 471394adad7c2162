/**
 * A pool of workers: a queue of tasks, idle workers that take the next one, replacement of workers that die, and an end.
 *
 * A worker has one task at a time. What a pool must get right is what happens when a task does not return: it throws
 * (the worker lives on), it ends its worker or exhausts its memory, it misses its deadline or is cancelled (nothing stops
 * running JavaScript but ending its thread). In each case that one task fails, with the cause, and the worker is replaced
 * as soon as there is another task for it.
 */
import type { PoolWorker, StartWorker } from './workers.ts'

export interface TaskOptions {
  /**
   * Cancels the task: a queued one is never started, a running one is ended together with its worker. To stop thousands
   * at once, dispose of the pool: a signal looks through all its listeners for each one that is added.
   */
  signal?: AbortSignal | undefined
  /** The longest time its work may take; a worker that is new has to start in it, too. */
  timeoutMs?: number | undefined
  /** Called when a worker is given the task. */
  onStart?: (() => void) | undefined
}

interface Job extends TaskOptions {
  task: unknown
  /** Frees what the job holds and tells its owner; undefined once that is done. */
  settle: ((settled: PromiseSettledResult<unknown>) => void) | undefined
  member?: Member
  timer?: NodeJS.Timeout
}

interface Member {
  worker: PoolWorker
  job: Job | undefined
}

export class WorkerPool<Task, Result> implements AsyncDisposable {
  readonly #startWorker: StartWorker
  readonly #size: number
  readonly #members = new Set<Member>()
  readonly #idle: Member[] = []
  readonly #stopping = new Set<Promise<void>>()
  readonly #queue: Job[] = []
  /** Where the queue begins: moving all jobs up for each one taken would make the time quadratic. */
  #first = 0
  #unsettled = 0
  #closed: PromiseWithResolvers<void> | undefined

  /** A pool of at most `size` workers, each started when it is first needed. */
  constructor(startWorker: StartWorker, size: number) {
    this.#startWorker = startWorker
    this.#size = size
  }

  /**
   * Has a worker do a task as soon as one is free.
   *
   * @returns its result; rejected with what the task threw, with the signal's reason, with a TimeoutError after
   *   `timeoutMs`, or with an Error that says how its worker ended
   */
  run(task: Task, options: TaskOptions = {}): Promise<Result> {
    const { signal } = options
    if (this.#closed) return Promise.reject(new Error('the pool is closed'))
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const abort = signal && (() => this.#abandon(job, signal.reason))
      const job: Job = {
        ...options,
        task,
        settle: (settled) => {
          job.settle = undefined
          clearTimeout(job.timer)
          if (abort) signal.removeEventListener('abort', abort)
          if (settled.status === 'fulfilled') resolve(settled.value as Result)
          else reject(settled.reason)
          if (--this.#unsettled === 0) this.#closed?.resolve()
        },
      }
      if (abort) signal.addEventListener('abort', abort)
      this.#unsettled++
      this.#queue.push(job)
      this.#assign()
    })
  }

  /** Takes no more tasks, waits for those it has, and ends the workers. */
  async close(): Promise<void> {
    this.#closed ??= Promise.withResolvers()
    if (this.#unsettled > 0) await this.#closed.promise
    await this[Symbol.asyncDispose]()
  }

  /** Takes no more tasks, fails those it has, and ends the workers; fulfilled when all of them are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.withResolvers()
    for (const job of this.#queue.splice(this.#first)) this.#abandon(job, new Error('the pool was closed'))
    for (const member of this.#members) {
      if (member.job) this.#abandon(member.job, new Error('the pool was closed'))
      else this.#stop(member)
    }
    await Promise.all(this.#stopping)
  }

  /** Gives the tasks at the head of the queue to idle or new workers, as long as there are any. */
  #assign(): void {
    for (let job = this.#queue[this.#first]; job; job = this.#queue[this.#first]) {
      const member = job.settle && (this.#idle.pop() ?? this.#start())
      if (job.settle && !member) return
      if (++this.#first === 1024) {
        this.#queue.splice(0, this.#first)
        this.#first = 0
      }
      if (member) this.#give(member, job)
    }
  }

  #give(member: Member, job: Job): void {
    const { timeoutMs } = job
    member.job = job
    job.member = member
    if (timeoutMs !== undefined) {
      const late = () => new DOMException(`no result within ${timeoutMs} ms: its worker was stopped`, 'TimeoutError')
      job.timer = setTimeout(() => this.#abandon(job, late()), timeoutMs)
    }
    try {
      member.worker.send(job.task)
      job.onStart?.()
    } catch (reason) {
      // What cannot be copied to a worker, such as a function, never got there.
      this.#free(member)
      job.settle?.({ status: 'rejected', reason })
    }
  }

  #start(): Member | undefined {
    if (this.#members.size === this.#size) return undefined
    const worker = this.#startWorker({
      onReply: (reply) => {
        // Stopped, while its reply was on its way: it takes no more tasks.
        if (!this.#members.has(member)) return
        const job = this.#free(member)
        job?.settle?.(
          'error' in reply ? { status: 'rejected', reason: reply.error } : { status: 'fulfilled', value: reply.value },
        )
        this.#assign()
      },
      onEnd: (reason) => {
        this.#remove(member)
        member.job?.settle?.({ status: 'rejected', reason })
        this.#assign()
      },
    })
    const member: Member = { worker, job: undefined }
    this.#members.add(member)
    return member
  }

  #free(member: Member): Job | undefined {
    const { job } = member
    member.job = undefined
    this.#idle.push(member)
    return job
  }

  /** Fails a job, and ends its worker if it has one. */
  #abandon(job: Job, reason: unknown): void {
    job.settle?.({ status: 'rejected', reason })
    if (job.member?.job === job) this.#stop(job.member)
    this.#assign()
  }

  #stop(member: Member): void {
    member.job = undefined
    this.#remove(member)
    const stopped = member.worker.stop().finally(() => this.#stopping.delete(stopped))
    this.#stopping.add(stopped)
  }

  #remove(member: Member): void {
    this.#members.delete(member)
    const at = this.#idle.indexOf(member)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}

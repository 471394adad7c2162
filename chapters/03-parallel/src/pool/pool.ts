/**
 * A pool of workers: a queue of tasks, idle workers that take the next one, replacements for workers that die, and an
 * orderly end.
 *
 * Each worker does one task at a time. The hard part of a pool is a task that does not return. It may throw; its worker
 * survives that. It may end its worker or exhaust its memory. It may miss its deadline or be cancelled; then the pool
 * must end the worker, because nothing else stops running JavaScript. In every case only that task fails, with the
 * cause as its error. When the worker is gone, the pool replaces it as soon as it has another task for one.
 */
import { after, requireMs, type Timer } from '@repo/common/async/timer'
import { Fifo } from '../queues/fifo.ts'
import type { PoolWorker, Reply, StartWorker } from './workers.ts'

export interface TaskOptions {
  /**
   * Cancels the task. A queued task never starts; a running one is ended together with its worker. To cancel thousands
   * of tasks at once, dispose of the pool instead: adding a listener to a signal takes time proportional to those it
   * has.
   */
  signal?: AbortSignal | undefined
  /**
   * The longest time from giving the task to a worker to getting its result, including a new worker's start. Infinity is
   * no limit.
   */
  timeoutMs?: number | undefined
  /** Called when a worker gets the task. */
  onStart?: (() => void) | undefined
}

interface Member {
  worker: PoolWorker
  job: Job | undefined
}

export class WorkerPool<Task, Result> implements AsyncDisposable {
  readonly #startWorker: StartWorker
  readonly #size: number
  readonly #queue = new Fifo<Job>()
  readonly #members = new Set<Member>()
  readonly #idle: Member[] = []
  /** The ends of workers that are being ended. They still count: a pool of one worker never has two. */
  readonly #stopping = new Set<Promise<void>>()
  #unsettled = 0
  #closed: PromiseWithResolvers<void> | undefined

  /**
   * A pool of at most `size` workers, each started when it is first needed.
   *
   * @throws a RangeError if `size` is not a whole number from 1: without workers no task would ever be done
   */
  constructor(startWorker: StartWorker, size: number) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(`size: received ${size}; accepts a whole number of workers from 1`)
    }
    this.#startWorker = startWorker
    this.#size = size
  }

  /**
   * Has a worker do a task as soon as one is free.
   *
   * @returns the task's result. It is rejected with what the task or `onStart` threw, with the signal's reason, with a
   *   TimeoutError after `timeoutMs`, or with an Error that says how the worker ended or why it could not be started.
   */
  run(task: Task, options: TaskOptions = {}): Promise<Result> {
    if (this.#closed) return Promise.reject(new Error('the pool is closed'))
    if (options.signal?.aborted) return Promise.reject(options.signal.reason)
    try {
      if (options.timeoutMs !== undefined) requireMs(options.timeoutMs, 'timeoutMs')
    } catch (error) {
      return Promise.reject(error)
    }
    const job = new Job(task, options, () => this.#settled(job))
    this.#unsettled++
    this.#queue.push(job)
    this.#assign()
    return job.result as Promise<Result>
  }

  /** Takes no more tasks, waits for those it has, and ends the workers. */
  async close(): Promise<void> {
    this.#closed ??= Promise.withResolvers()
    if (this.#unsettled > 0) await this.#closed.promise
    await this[Symbol.asyncDispose]()
  }

  /** Takes no more tasks, fails those it has, and ends the workers. Fulfilled when all of them are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.withResolvers()
    const closed = { error: new Error('the pool was closed') }
    for (const job of this.#queue.clear()) job.settle(closed)
    for (const member of this.#members) {
      if (member.job) member.job.settle(closed)
      else this.#stop(member)
    }
    await Promise.all(this.#stopping)
  }

  /** Gives the first tasks of the queue to idle or new workers until one of the two runs out. */
  // #region assign
  #assign(): void {
    for (let job = this.#queue.first; job; job = this.#queue.first) {
      const member = job.isSettled ? undefined : this.#memberFor(job)
      if (!member && !job.isSettled) return
      this.#queue.shift()
      if (member) this.#give(member, job)
    }
  }
  // #endregion assign

  /** An idle worker or a new one. Undefined if there is none, or if it cannot be started: then the job has failed. */
  #memberFor(job: Job): Member | undefined {
    try {
      return this.#idle.pop() ?? this.#start()
    } catch (error) {
      job.settle({ error })
      return undefined
    }
  }

  #give(member: Member, job: Job): void {
    member.job = job
    try {
      member.worker.send(job.task)
    } catch (error) {
      // A task that cannot be copied, such as a function, never reached the worker.
      this.#free(member)
      job.settle({ error })
      return
    }
    job.start()
  }

  #start(): Member | undefined {
    if (this.#members.size + this.#stopping.size >= this.#size) return undefined
    const worker = this.#startWorker({
      onReply: (reply) => {
        // The pool may have stopped the worker while its reply was on the way: it gets no more tasks.
        if (!this.#members.has(member)) return
        this.#free(member)?.settle(reply)
        this.#assign()
      },
      onEnd: (error) => {
        this.#remove(member)
        member.job?.settle({ error })
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

  /** A job has its result. A worker that still has the job was too late, or the job was cancelled: it must be ended. */
  // #region settled
  #settled(job: Job): void {
    if (--this.#unsettled === 0) this.#closed?.resolve()
    for (const member of this.#members) if (member.job === job) this.#stop(member)
  }
  // #endregion settled

  #stop(member: Member): void {
    this.#remove(member)
    const stopped = member.worker.stop().then(() => {
      this.#stopping.delete(stopped)
      this.#assign()
    })
    this.#stopping.add(stopped)
  }

  #remove(member: Member): void {
    this.#members.delete(member)
    const at = this.#idle.indexOf(member)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}

/** A task on its way through the pool, until its promise is settled: by its worker, its deadline or its signal. */
class Job {
  /** Undefined once the job is settled: nothing holds a task longer than the pool needs it. */
  task: unknown
  readonly result: Promise<unknown>
  /** Settles the result. Only the first call counts. */
  readonly settle: (reply: Reply) => void
  isSettled = false
  readonly #options: TaskOptions
  #deadline: Timer | undefined

  constructor(task: unknown, options: TaskOptions, onSettled: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const { signal } = options
    const abort = () => this.settle({ error: signal?.reason })
    signal?.addEventListener('abort', abort)
    this.task = task
    this.result = promise
    this.#options = options
    this.settle = (reply) => {
      if (this.isSettled) return
      this.isSettled = true
      this.task = undefined
      this.#deadline?.clear()
      signal?.removeEventListener('abort', abort)
      if ('error' in reply) reject(reply.error)
      else resolve(reply.value)
      onSettled()
    }
  }

  /** A worker has the task: the clock starts. */
  start(): void {
    const { timeoutMs, onStart } = this.#options
    if (timeoutMs !== undefined) {
      const late = () => new DOMException(`no result within ${timeoutMs} ms: its worker was stopped`, 'TimeoutError')
      this.#deadline = after(timeoutMs, () => this.settle({ error: late() }))
    }
    try {
      onStart?.()
    } catch (error) {
      this.settle({ error })
    }
  }
}

/**
 * A pool of workers: a queue of tasks, idle workers that take the next one, replacement of workers that die, and an end.
 *
 * A worker has one task at a time. What a pool must get right is what happens when a task does not return: it throws
 * (the worker lives on), it ends its worker or exhausts its memory, it misses its deadline or is cancelled (nothing stops
 * running JavaScript but ending its thread). In each case that one task fails, with the cause, and the worker is replaced
 * as soon as there is another task for it.
 */
import { Fifo } from './fifo.ts'
import { Job, type TaskOptions } from './job.ts'
import type { PoolWorker, StartWorker } from './workers.ts'

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
  readonly #stopping = new Set<Promise<void>>()
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
    if (this.#closed) return Promise.reject(new Error('the pool is closed'))
    if (options.signal?.aborted) return Promise.reject(options.signal.reason)
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

  /** Takes no more tasks, fails those it has, and ends the workers; fulfilled when all of them are gone. */
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

  /** Gives the tasks at the head of the queue to idle or new workers, as long as there are any. */
  #assign(): void {
    for (let job = this.#queue.first; job; job = this.#queue.first) {
      const member = job.isSettled ? undefined : (this.#idle.pop() ?? this.#start())
      if (!member && !job.isSettled) return
      this.#queue.shift()
      if (member) this.#give(member, job)
    }
  }

  #give(member: Member, job: Job): void {
    member.job = job
    try {
      member.worker.send(job.task)
    } catch (error) {
      // What cannot be copied to a worker, such as a function, never got there.
      this.#free(member)
      job.settle({ error })
      return
    }
    job.start()
  }

  #start(): Member | undefined {
    if (this.#members.size === this.#size) return undefined
    const worker = this.#startWorker({
      onReply: (reply) => {
        // Stopped, while its reply was on its way: it takes no more tasks.
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

  /** A job has a result. A worker that still has the job, as it was cancelled or is late, can only be ended. */
  #settled(job: Job): void {
    if (--this.#unsettled === 0) this.#closed?.resolve()
    for (const member of this.#members) if (member.job === job) this.#stop(member)
  }

  #stop(member: Member): void {
    this.#remove(member)
    const stopped = member.worker.stop().finally(() => this.#stopping.delete(stopped))
    this.#stopping.add(stopped)
    this.#assign()
  }

  #remove(member: Member): void {
    this.#members.delete(member)
    const at = this.#idle.indexOf(member)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}

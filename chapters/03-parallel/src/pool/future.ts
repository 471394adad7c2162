/**
 * Futures: handles of tasks that a pool has accepted, which can be asked, waited for and cancelled from anywhere.
 *
 *     pending ──► running ──► done | failed
 *        └───────────┴─────► cancelled
 */
import type { WorkerPool } from './pool.ts'

export type FutureState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled'

export class Future<T> {
  #state: FutureState = 'pending'
  readonly #promise: Promise<T>
  readonly #canceller = new AbortController()

  /** @param start begins the work: is handed the signal that cancels it and a function to call when it really runs */
  constructor(start: (signal: AbortSignal, onStart: () => void) => Promise<T>) {
    const onStart = () => {
      if (this.#state === 'pending') this.#state = 'running'
    }
    this.#promise = start(this.#canceller.signal, onStart)
    this.#promise.then(
      () => (this.#state = 'done'),
      // Cancelled is what it was at once, and stays.
      () => (this.#state = this.#canceller.signal.aborted ? 'cancelled' : 'failed'),
    )
  }

  get state(): FutureState {
    return this.#state
  }

  /**
   * The result; rejected with the task's error. With `timeoutMs` only the wait is limited: when it is over, rejected with
   * a TimeoutError, and the task goes on and can be waited for again.
   */
  async result(timeoutMs?: number): Promise<T> {
    if (timeoutMs === undefined) return await this.#promise
    const { promise, reject } = Promise.withResolvers<never>()
    const late = () => reject(new DOMException(`no result within ${timeoutMs} ms; the task goes on`, 'TimeoutError'))
    const timer = setTimeout(late, timeoutMs)
    return await Promise.race([this.#promise, promise]).finally(() => clearTimeout(timer))
  }

  /** Cancels the task, also when it runs. Returns false when it is too late. */
  cancel(): boolean {
    if (this.#state !== 'pending' && this.#state !== 'running') return false
    this.#state = 'cancelled'
    this.#canceller.abort(new DOMException('the task was cancelled', 'AbortError'))
    return true
  }
}

/** Hands a task to a pool. */
export function submit<Task, Result>(pool: WorkerPool<Task, Result>, task: Task): Future<Result> {
  return new Future((signal, onStart) => pool.run(task, { signal, onStart }))
}

const settled = <T>(future: Future<T>) =>
  future.result().then(
    () => future,
    () => future,
  )

/** The first future that is done, failed or cancelled. */
export async function firstCompleted<T>(futures: Future<T>[]): Promise<Future<T>> {
  return await Promise.race(futures.map(settled))
}

/** Fulfilled when none is pending or running any more; never rejected. */
export async function allSettled<T>(futures: Future<T>[]): Promise<Future<T>[]> {
  return await Promise.all(futures.map(settled))
}

/** Each future as soon as it is done, failed or cancelled. */
export async function* asCompleted<T>(futures: Future<T>[]): AsyncGenerator<Future<T>, void, undefined> {
  // Each future takes the next of these promises when it completes: one reaction for each, in place of a race for each.
  const slots = futures.map(() => Promise.withResolvers<Future<T>>())
  let next = 0
  for (const future of futures) void settled(future).then(() => slots[next++]?.resolve(future))
  for (const { promise } of slots) yield await promise
}

/**
 * Futures: handles for tasks that a pool has accepted. A program can ask a future for its state, wait for its result,
 * and cancel it.
 *
 *     pending ──► running ──► done | failed
 *        └───────────┴─────► cancelled
 */
import { after } from '@repo/common/async/timer'
import type { WorkerPool } from './pool.ts'

export type FutureState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled'

export class Future<T> {
  #state: FutureState = 'pending'
  readonly #promise: Promise<T>
  readonly #canceller = new AbortController()

  /** @param start hands the work in; gets the signal that cancels it, and a function to call when it really starts */
  constructor(start: (signal: AbortSignal, onStart: () => void) => Promise<T>) {
    const onStart = () => {
      if (this.#state === 'pending') this.#state = 'running'
    }
    this.#promise = start(this.#canceller.signal, onStart)
    this.#promise.then(
      () => (this.#state = 'done'),
      // A cancelled future has had its state since `cancel`, and keeps it.
      () => (this.#state = this.#canceller.signal.aborted ? 'cancelled' : 'failed'),
    )
  }

  get state(): FutureState {
    return this.#state
  }

  /**
   * The result; rejected with the task's error. `timeoutMs` limits only the wait: after it the promise is rejected with
   * a TimeoutError, while the task goes on and can be waited for again. Infinity is no limit.
   */
  async result(timeoutMs?: number): Promise<T> {
    if (timeoutMs === undefined) return await this.#promise
    const { promise, reject } = Promise.withResolvers<never>()
    const late = () => reject(new DOMException(`no result within ${timeoutMs} ms; the task goes on`, 'TimeoutError'))
    using _timer = after(timeoutMs, late, 'timeoutMs')
    return await Promise.race([this.#promise, promise])
  }

  /** Cancels the task, even if it is running. Returns false if it is too late. */
  // #region cancel
  cancel(): boolean {
    if (this.#state !== 'pending' && this.#state !== 'running') return false
    this.#state = 'cancelled'
    this.#canceller.abort(new DOMException('the task was cancelled', 'AbortError'))
    return true
  }
  // #endregion cancel
}

/** Hands a task to a pool. */
// #region submit
export function submit<Task, Result>(pool: WorkerPool<Task, Result>, task: Task): Future<Result> {
  return new Future((signal, onStart) => pool.run(task, { signal, onStart }))
}
// #endregion submit

const settled = <T>(future: Future<T>) =>
  future.result().then(
    () => future,
    () => future,
  )

/** The first future that is done, failed or cancelled. Throws a RangeError if there are none: no wait would end. */
export async function firstCompleted<T>(futures: Future<T>[]): Promise<Future<T>> {
  if (futures.length === 0) throw new RangeError('futures: received none; accepts at least one to wait for')
  return await Promise.race(futures.map(settled))
}

/** Fulfilled when no future is pending or running any more; never rejected. */
export async function allSettled<T>(futures: Future<T>[]): Promise<Future<T>[]> {
  return await Promise.all(futures.map(settled))
}

/** Yields each future as soon as it is done, failed or cancelled. */
export async function* asCompleted<T>(futures: Future<T>[]): AsyncGenerator<Future<T>, void, undefined> {
  // Each future that completes takes the next slot. That needs one reaction per future, instead of a race for each
  // result.
  const slots = futures.map(() => Promise.withResolvers<Future<T>>())
  let next = 0
  for (const future of futures) void settled(future).then(() => slots[next++]?.resolve(future))
  for (const { promise } of slots) yield await promise
}

/**
 * A task group: tasks that begin and end together. When one fails, the group cancels the others. The group ends when
 * all of its tasks have ended, so nothing that it started outlives it. (The idea is known as structured concurrency.)
 */

export interface TaskGroup {
  /** Aborted when a task or the group's body has failed, or when the caller cancels the group. */
  signal: AbortSignal
  /**
   * Starts a task with the group's signal. The group waits even for a task that does not heed the signal. Throws after
   * the group has ended, because nothing would wait for the task.
   */
  run: <Result>(task: (signal: AbortSignal) => Promise<Result>) => Promise<Result>
}

/** Why the tasks of a group are cancelled; `cause` is the error of the task that failed first. */
class GroupCancelled extends Error {
  override name = 'GroupCancelled'
}

/**
 * Runs `body`, which starts tasks, and waits for all of them.
 *
 * @returns what `body` returns
 * @throws the error of the task that failed first; an AggregateError if others failed too, other than by being
 *   cancelled; or the reason of `signal`
 */
export async function taskGroup<Result>(
  body: (group: TaskGroup) => Promise<Result>,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Result> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const cancelled = signal ? AbortSignal.any([controller.signal, signal]) : controller.signal
  const errors: unknown[] = []
  const running = new Set<Promise<unknown>>()
  let ended = false

  function fail(error: unknown) {
    if (isConsequence(error, cancelled)) return
    if (!errors.includes(error)) errors.push(error)
    controller.abort(new GroupCancelled('a task of the group has failed', { cause: error }))
  }

  const group: TaskGroup = {
    signal: cancelled,
    // #region run
    run(task) {
      if (ended) throw new Error('the group has ended')
      const promise = (async () => {
        cancelled.throwIfAborted()
        return await task(cancelled)
      })()
      running.add(promise)
      // Handled here, even if the caller does not wait for this task.
      promise.catch(fail).finally(() => running.delete(promise))
      return promise
    },
    // #endregion run
  }
  // #region wait
  let result: Result | undefined
  try {
    result = await body(group)
  } catch (error) {
    fail(error)
  }
  // A running task may start others.
  while (running.size > 0) await Promise.allSettled(running)
  ended = true
  // #endregion wait

  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} tasks of the group have failed`)
  if (errors.length === 1) throw errors[0]
  signal?.throwIfAborted()
  return result as Result
}

/** Whether an error only says that the signal was aborted. Many parts of Node wrap the reason in an AbortError. */
function isConsequence(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted || !(error instanceof Error)) return false
  return error === signal.reason || error.cause === signal.reason || error.name === 'AbortError'
}

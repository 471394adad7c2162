/**
 * Coroutines: generators that are fed values. The first `next()` only runs a generator function to its first `yield`.
 * The value given to that call is lost, because no `yield` is waiting for it. `coroutine` makes this first call.
 */

/** A generator that takes values of type `T` with `next(value)` and gives nothing back until it ends. */
export type Sink<T> = Generator<void, void, T>

/**
 * Turns a generator function into one whose generators wait for their first value.
 *
 * @example
 * const printer = coroutine(function* (): Sink<string> {
 *   for (;;) console.log(yield)
 * })
 * printer().next('printed')
 */
// #region prime
export function coroutine<Args extends unknown[], In, Out, Result>(
  body: (...args: Args) => Generator<Out, Result, In>,
): (...args: Args) => Generator<Out, Result, In> {
  return (...args) => {
    const primed = body(...args)
    // Runs to the first `yield`, where it waits.
    primed.next(undefined as In)
    return primed
  }
}
// #endregion prime

/** Hands every value, and the end, to all of `targets`: one pass over the source serves them all. */
// #region broadcast
export const broadcast = coroutine(function* <T>(targets: Sink<T>[]): Sink<T> {
  try {
    for (;;) {
      const value = yield
      for (const target of targets) target.next(value)
    }
  } finally {
    for (const target of targets) target.return()
  }
}) as <T>(targets: Sink<T>[]) => Sink<T>
// #endregion broadcast

/**
 * Coroutines: generators that are fed. A generator function runs up to its first `yield` only when `next()` is called for
 * the first time, and what that call is given is lost: nobody waits for it yet. `coroutine` makes this first call.
 */

/** A generator that takes values of type `T` by `next(value)` and gives nothing back until it ends. */
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

/** Hands every value to all of `targets`, and its end too: one pass over the source serves them all. */
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

/**
 * Timers for any time. Node's own fire after 1 ms when they are given more than 2^31 − 1 ms (25 days), Infinity or NaN;
 * these wait for the whole time, and Infinity for ever.
 */

/** The longest time that Node's `setTimeout` can wait. */
export const longestMs = 2 ** 31 - 1

/** A timer that runs. Clearing it, or leaving its `using` scope, prevents the call. */
export interface Timer extends Disposable {
  clear: () => void
  /** The process may end before the timer fires. */
  unref: () => Timer
}

/**
 * Returns a time that can be waited for: 0 or more milliseconds, or Infinity.
 *
 * @param name names it in the error message, such as `timeoutMs`
 * @throws a RangeError of one line for NaN, a negative number, and what is no number
 */
export function requireMs(ms: number, name = 'ms'): number {
  if (typeof ms === 'number' && ms >= 0) return ms
  throw new RangeError(`${name}: received ${String(ms)}; accepts milliseconds from 0 to Infinity`)
}

/**
 * Calls a function once, after a time.
 *
 * @throws a RangeError if it is not a time
 */
export function after(ms: number, call: () => void, name?: string): Timer {
  let leftMs = requireMs(ms, name)
  let isRef = true
  let running = next()
  function next(): NodeJS.Timeout {
    const stepMs = Math.min(leftMs, longestMs)
    leftMs -= stepMs
    const started = setTimeout(() => {
      if (leftMs === 0) call()
      else running = next()
    }, stepMs)
    return isRef ? started : started.unref()
  }
  const clear = () => clearTimeout(running)
  const timer: Timer = {
    clear,
    unref() {
      isRef = false
      running.unref()
      return timer
    },
    [Symbol.dispose]: clear,
  }
  return timer
}

/**
 * Resolves after a time.
 *
 * @throws the signal's reason, if it is aborted first; a RangeError if it is not a time
 */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  using _timer = after(ms, resolve)
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort)
  await promise.finally(() => signal?.removeEventListener('abort', abort))
}

/**
 * Returns a signal that is aborted with a TimeoutError after a time, or earlier with the reason of `signal`. It does not
 * keep the process running, and takes fractions of a millisecond, which `AbortSignal.timeout` refuses.
 *
 * @throws a RangeError if it is not a time
 */
export function timeLimit(ms: number, signal?: AbortSignal): AbortSignal {
  const whole = Math.ceil(requireMs(ms))
  let limit: AbortSignal
  if (whole <= longestMs) limit = AbortSignal.timeout(whole)
  else {
    const controller = new AbortController()
    limit = controller.signal
    const message = 'The operation was aborted due to timeout'
    if (whole < Infinity) after(whole, () => controller.abort(new DOMException(message, 'TimeoutError'))).unref()
  }
  return signal ? AbortSignal.any([limit, signal]) : limit
}

/** How long an event loop handles nothing at all. */

export interface Standstill extends Disposable {
  /** The longest time so far, in milliseconds, in which the loop of this thread handled no event. */
  longestMs: () => number
}

/** Watches the event loop of the calling thread, by a timer that should go off every few milliseconds. */
export function watchStandstill(everyMs = 5): Standstill {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(look, everyMs)
  function look() {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  return {
    longestMs() {
      look()
      return longest
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

// The checker says: It runs a queueMicrotask callback where Node runs a nextTick callback.
/** Puts ticks and microtasks into one queue. */
import type { Callback } from '../check.ts'

export function orderOf(main: Callback): string[] {
  const order: string[] = []
  const soon: Callback[] = []
  const immediates: Callback[] = []
  const timers: Callback[] = []

  function runWhole(first: Callback) {
    soon.push(first)
    for (let next = soon.shift(); next; next = soon.shift()) {
      order.push(next.name)
      for (const { by, callback } of next.starts) {
        if (by === 'setImmediate') immediates.push(callback)
        else if (by === 'setTimeout') timers.push(callback)
        else soon.push(callback)
      }
    }
  }

  runWhole(main)
  while (immediates.length > 0 || timers.length > 0) {
    for (const callback of immediates.splice(0)) runWhole(callback)
    for (const callback of timers.splice(0)) runWhole(callback)
  }
  return order
}

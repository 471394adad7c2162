// The checker says: It runs a setImmediate callback where Node runs a setTimeout callback.
/** Runs an immediate that another one starts in the same turn of the loop. */
import type { Callback } from '../check.ts'

export function orderOf(main: Callback): string[] {
  const order: string[] = []
  const ticks: Callback[] = []
  const microtasks: Callback[] = []
  const immediates: Callback[] = []
  const timers: Callback[] = []

  function run({ name, starts }: Callback) {
    order.push(name)
    for (const { by, callback } of starts) {
      if (by === 'nextTick') ticks.push(callback)
      else if (by === 'queueMicrotask') microtasks.push(callback)
      else if (by === 'setImmediate') immediates.push(callback)
      else timers.push(callback)
    }
  }

  function runWhole(callback: Callback) {
    run(callback)
    while (ticks.length > 0 || microtasks.length > 0) {
      for (let next = ticks.shift(); next; next = ticks.shift()) run(next)
      for (let next = microtasks.shift(); next; next = microtasks.shift()) run(next)
    }
  }

  runWhole(main)
  while (immediates.length > 0 || timers.length > 0) {
    for (let next = immediates.shift(); next; next = immediates.shift()) runWhole(next)
    for (let next = timers.shift(); next; next = timers.shift()) runWhole(next)
  }
  return order
}

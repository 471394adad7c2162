/** The event loop's rules as a program. */
import type { Callback } from './check.ts'

/** Returns the names of a callback and of all that it starts, directly or not, in the order in which Node runs them. */
export function orderOf(main: Callback): string[] {
  const order: string[] = []
  const queues: Record<Callback['starts'][number]['by'], Callback[]> = {
    nextTick: [],
    queueMicrotask: [],
    setImmediate: [],
    setTimeout: [],
  }

  function run({ name, starts }: Callback) {
    order.push(name)
    for (const { by, callback } of starts) queues[by].push(callback)
  }

  /** Runs a callback of the loop, and then whatever is in the two queues. */
  function runWhole(callback: Callback) {
    run(callback)
    while (queues.nextTick.length > 0 || queues.queueMicrotask.length > 0) {
      // An array's loop also takes what is added while it runs.
      for (const tick of queues.nextTick) run(tick)
      queues.nextTick = []
      for (const microtask of queues.queueMicrotask) run(microtask)
      queues.queueMicrotask = []
    }
  }

  runWhole(main)
  while (queues.setImmediate.length > 0 || queues.setTimeout.length > 0) {
    // What a phase adds to itself belongs to the next turn: splice takes the others out first.
    for (const callback of queues.setImmediate.splice(0)) runWhole(callback)
    for (const callback of queues.setTimeout.splice(0)) runWhole(callback)
  }
  return order
}

// The checker says: It runs a setImmediate callback where Node runs a nextTick callback.
/** Runs ticks and microtasks at the end of a phase, as Node did before version 11. */
import type { Callback } from '../check.ts'

export function orderOf(main: Callback): string[] {
  const order: string[] = []
  const queues: Record<Callback['starts'][number]['by'], Callback[]> = {
    nextTick: [],
    queueMicrotask: [],
    setImmediate: [],
    setTimeout: [],
  }

  function runPhase(callbacks: Callback[]) {
    for (const { name, starts } of callbacks) {
      order.push(name)
      for (const { by, callback } of starts) queues[by].push(callback)
    }
  }

  function runSoon() {
    while (queues.nextTick.length > 0 || queues.queueMicrotask.length > 0) {
      while (queues.nextTick.length > 0) runPhase(queues.nextTick.splice(0))
      while (queues.queueMicrotask.length > 0) runPhase(queues.queueMicrotask.splice(0))
    }
  }

  runPhase([main])
  runSoon()
  while (queues.setImmediate.length > 0 || queues.setTimeout.length > 0) {
    runPhase(queues.setImmediate.splice(0))
    runSoon()
    runPhase(queues.setTimeout.splice(0))
    runSoon()
  }
  return order
}

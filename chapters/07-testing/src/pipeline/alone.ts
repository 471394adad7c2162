/**
 * The pipeline without its processes, queues and Redis: the same handlers on one thread, one order after the other. It
 * is the best plain program for the same orders, but it has them in memory only: if the process dies, they are lost.
 */
import type { MemoryStore } from './memory-store.ts'
import { accept, type Effect, handlers, type Order, type Stage } from './orders.ts'

/** Takes orders through all their steps. */
export function shipAlone(orders: readonly Order[], store: MemoryStore): void {
  for (const order of orders) {
    let next: Stage | undefined
    const perform = (effect: Effect) => {
      if (effect.do === 'acknowledge') return 'acknowledged'
      if (effect.do !== 'send') return store.perform(effect, 'one thread', Date.now())
      next = effect.to
      return 'sent'
    }
    let handle: typeof accept | undefined = accept
    while (handle) {
      next = undefined
      let done = false
      // A refused card is tried again at once, without the pause that a queue makes between deliveries.
      for (let delivery = 1; !done; delivery++) {
        const handler = handle(order, { now: Date.now, delivery })
        let step = handler.next()
        while (!step.done) step = handler.next(perform(step.value))
        done = step.value.done
      }
      handle = next && handlers[next]
    }
  }
}

/**
 * Races: several handlers at once, and fast-check's scheduler decides which reply comes next. Every interleaving is
 * possible, none is left to luck, and a failing interleaving is shrunk and can be replayed.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { check } from '../../src/pipeline/invariants.ts'
import { MemoryStore, type StoreEffect } from '../../src/pipeline/memory-store.ts'
import { type Order, run, ship } from '../../src/pipeline/orders.ts'
import { bug, order, pay } from './planted.ts'

const shipped = (count: number): Order[] => Array.from({ length: count }, (_, at) => order(at + 1))

it('reduces the stock by what is taken, whatever the order of events', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, count) => {
      const store = new MemoryStore({ book: 3 })
      const perform = scheduler.scheduleFunction(async (effect: StoreEffect) => store.perform(effect, 'test', 0))
      const orders = shipped(count)
      for (const paid of orders) pay(paid, store)
      let now = 0
      const running = orders.map((each) =>
        run(ship(each, { bug, delivery: 1, now: () => ++now }), async (effect) =>
          effect.do === 'send' || effect.do === 'acknowledge' ? 'done' : await perform(effect),
        ),
      )
      await scheduler.waitFor(Promise.all(running))
      expect(check({ ...store.books(), orders, stockBefore: { book: 3 } })).toEqual([])
    }),
  )
})

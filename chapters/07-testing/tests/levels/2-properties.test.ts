/**
 * Properties: what must hold for every order, every clock and every moment at which a worker may die. fast-check
 * generates the cases and shrinks those that fail. Still no process and no waiting, but also cases that nobody thought
 * of.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { check } from '../../src/pipeline/invariants.ts'
import { MemoryStore } from '../../src/pipeline/memory-store.ts'
import { handlers, isFinal, type Order, type Stage } from '../../src/pipeline/orders.ts'
import { bug, order } from './planted.ts'

const orders = fc.record({
  id: fc.constant('order-1'),
  item: fc.constantFrom('book', 'lamp'),
  quantity: fc.integer({ min: 1, max: 5 }),
  cents: fc.integer({ min: 1, max: 10_000 }),
  card: fc.constantFrom<Order['card'][]>('good', 'refused'),
})

interface Life {
  /** The number of effects after which each delivery is killed; later deliveries survive. */
  kills: number[]
  /** The error of each stage's clock, in ms. */
  clocks: Record<Stage, number>
}

const lives: fc.Arbitrary<Life> = fc.record({
  kills: fc.array(fc.nat(4), { maxLength: 4 }),
  clocks: fc.record({ payment: fc.integer({ min: -100, max: 100 }), shipping: fc.integer({ min: -100, max: 100 }) }),
})

/**
 * Takes an order from beginning to end: a job whose delivery was killed is delivered again, unless it was acknowledged.
 */
function live(bought: Order, { kills, clocks }: Life) {
  const store = new MemoryStore({ book: 3, lamp: 3 })
  store.perform({ do: 'create', order: bought.id, content: '', version: 0 }, 'front', 0)
  let deaths = 0
  let now = 0
  const queue: Stage[] = ['payment']
  for (let stage = queue.shift(); stage; stage = queue.shift()) {
    let acknowledged = false
    for (let delivery = 1; !acknowledged && delivery < 50; delivery++) {
      const clock = clocks[stage]
      const handler = handlers[stage](bought, { bug, delivery, now: () => now++ + clock })
      const lifetime = kills[deaths++] ?? Number.POSITIVE_INFINITY
      let step = handler.next()
      for (let performed = 0; !step.done && performed < lifetime; performed++) {
        const effect = step.value
        if (effect.do === 'acknowledge') acknowledged = true
        // The queue adds a job once.
        else if (effect.do === 'send') queue.splice(0, 1, effect.to)
        const isStores = effect.do !== 'send' && effect.do !== 'acknowledge'
        step = handler.next(isStores ? store.perform(effect, stage, now) : 'done')
      }
      acknowledged ||= Boolean(step.done && step.value.done)
    }
  }
  const seen = { ...store.books(), orders: [bought], stockBefore: { book: 3, lamp: 3 } }
  return { state: store.stateOf(bought.id), violations: check(seen) }
}

// #region property
it('keeps all promises, whenever a worker dies and whatever the clocks say', () => {
  fc.assert(
    fc.property(orders, lives, (bought, life) => {
      const { state, violations } = live(bought, life)
      expect(violations).toEqual([])
      expect(isFinal(state)).toBe(true)
    }),
  )
})
// #endregion property

it('ends in the same state, however often it is interrupted', () => {
  fc.assert(
    fc.property(orders, lives, (bought, life) => {
      const undisturbed = live(bought, { kills: [], clocks: { payment: 0, shipping: 0 } })
      expect(live(bought, life).state).toBe(undisturbed.state)
    }),
  )
})

it('counts an effect once, however often it is performed', () => {
  fc.assert(
    fc.property(orders, fc.integer({ min: 1, max: 4 }), (bought, times) => {
      const store = new MemoryStore({ book: 3, lamp: 3 })
      const repeat = (effect: Parameters<MemoryStore['perform']>[0]) =>
        Array.from({ length: times }, () => store.perform(effect, 'test', 0))
      const answers = repeat({ do: 'take', order: order(1).id, item: bought.item, quantity: bought.quantity })
      expect(new Set(answers).size).toBe(1)
      expect(store.stock.get(bought.item)).toBe(answers[0] === 'taken' ? 3 - bought.quantity : 3)
    }),
  )
})

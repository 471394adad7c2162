/**
 * Bugs that nobody has planted for readers: a line of the orders' logic, of the bank or of the warehouse is changed, and
 * the search must find a history that shows it.
 */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { search } from '@repo/simulator/search'
import { expect, it } from 'vitest'
import { orderScenarios, type Parts, simulatedPipeline } from '../../src/pipeline/simulated.ts'

type File = 'orders' | 'memory-store'

/** Returns a file of the pipeline as a module, with one text replaced. */
async function changed(file: File, from: string, to: string): Promise<Partial<Parts>> {
  const source = await readFile(new URL(`../../src/pipeline/${file}.ts`, import.meta.url), 'utf8')
  expect(source.split(from), from).toHaveLength(2)
  const code = stripTypeScriptTypes(source.replace(from, to)).replace(
    "'zod'",
    JSON.stringify(import.meta.resolve('zod')),
  )
  const module = await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)
  return file === 'orders' ? { logic: module } : { Store: module.MemoryStore }
}

it.each<[bug: string, file: File, from: string, to: string]>([
  // The orders
  ['one cent less', 'orders', 'cents: order.cents,\n    card', 'cents: order.cents - 1,\n    card'],
  ['no tries at all', 'orders', 'const mostTries = 5', 'const mostTries = 0'],
  ['one try too few', 'orders', 'const mostTries = 5', 'const mostTries = 4'],
  ['one try too many', 'orders', 'const mostTries = 5', 'const mostTries = 6'],
  ['pauses that never grow', 'orders', '20 * 2 ** Math.min(delivery - 1, 5)', '20'],
  ['a retry in an hour', 'orders', '20 * 2 ** Math.min(delivery - 1, 5)', '3_600_000'],
  [
    'a refund without a charge',
    'orders',
    "if (state === 'paid') yield",
    "if (state === 'failed') yield { do: 'refund', order: order.id, cents: order.cents }\n  if (state === 'paid') yield",
  ],
  [
    'no refund',
    'orders',
    "if (answer === 'sold out') yield { do: 'refund'",
    "if (answer === 'never') yield { do: 'refund'",
  ],
  [
    'half a refund',
    'orders',
    "yield { do: 'refund', order: id, cents: order.cents }",
    "yield { do: 'refund', order: id, cents: order.cents >> 1 }",
  ],
  ['a refund for all', 'orders', "if (answer === 'sold out') yield", "if (answer !== 'never') yield"],
  [
    'one piece only',
    'orders',
    "yield { do: 'take', order: id, item, quantity }",
    "yield { do: 'take', order: id, item, quantity: 1 }",
  ],
  ['goods never taken', 'orders', "yield { do: 'take', order: id, item, quantity }", "'taken'"],
  [
    'sold out for many',
    'orders',
    "yield { do: 'take', order: id, item, quantity }",
    "quantity > 2 ? 'sold out' : yield { do: 'take', order: id, item, quantity }",
  ],
  ['a failure that is shipped', 'orders', "answer === 'charged' ? 'paid' : 'failed'", "'paid'"],
  ['not shipped', 'orders', "if (state === 'paid') yield { do: 'send', to: 'shipping', order }", ''],
  [
    'not paid before it is shipped',
    'orders',
    "yield { do: 'send', to: 'payment', order }",
    "yield { do: 'send', to: 'shipping', order }",
  ],
  [
    'known orders are not sent',
    'orders',
    "if (answer === 'conflict') return done",
    "if (answer !== 'created') return done",
  ],
  [
    'shipped before it is taken',
    'orders',
    '  const answer =\n    context.bug',
    "  yield { do: 'advance', order: id, state: 'shipped', version: 3 }\n  const answer =\n    context.bug",
  ],
  [
    'never done',
    'orders',
    'version: versionOf(state, context) }\n  return done',
    'version: versionOf(state, context) }\n  return { done: false, retryAfterMs: 100 * context.delivery }',
  ],
  [
    'no charge at a fourth delivery',
    'orders',
    "const answer = yield {\n    do: 'charge'",
    "const answer = delivery === 4 && order.card === 'good' ? 'charged' : yield {\n    do: 'charge'",
  ],
  [
    'goods never taken at a fourth delivery',
    'orders',
    "yield { do: 'take', order: id, item, quantity }",
    "context.delivery > 3 ? 'taken' : yield { do: 'take', order: id, item, quantity }",
  ],
  [
    'orders without their price',
    'orders',
    'JSON.stringify({ item, quantity, cents, card })',
    'JSON.stringify({ item, quantity, card })',
  ],
  [
    'another try is another order',
    'orders',
    'const contentOf = ({ item, quantity, cents, card }: Order) => JSON.stringify({ item, quantity, cents, card })',
    'const contentOf = (order: Order) => JSON.stringify(order)',
  ],
  ['states alike', 'orders', 'paid: 2, shipped: 3', 'paid: 3, shipped: 3'],
  // The bank
  [
    'a charge that forgets its key once paid',
    'memory-store',
    "if (this.#charges.has(effect.key)) return 'charged'",
    "if (this.#charges.delete(effect.key)) return 'charged'",
  ],
  ['a charge without a key', 'memory-store', 'this.#charges.add(effect.key)', ''],
  ['a duplicate refund', 'memory-store', 'if (!this.#charges.has(key)) this.#pay', 'this.#pay'],
  [
    'a refund that is not paid',
    'memory-store',
    'if (!this.#charges.has(key)) this.#pay',
    'if (this.#charges.has(key)) this.#pay',
  ],
  ['a charge that is only said', 'memory-store', 'this.#pay(effect.order, effect.cents)', ''],
  [
    'one cent less in the bank',
    'memory-store',
    'this.#pay(effect.order, effect.cents)',
    'this.#pay(effect.order, effect.cents - 1)',
  ],
  ['the till is robbed', 'memory-store', '[order, till]', '[order]'],
  [
    'keys that begin alike',
    'memory-store',
    'if (this.#charges.has(effect.key))',
    'if ([...this.#charges].some((key) => key.startsWith(effect.key)))',
  ],
  [
    'one key for the same price',
    'memory-store',
    'if (this.#charges.has(effect.key))',
    'if (this.#charges.has(String(effect.cents % 7)) || !this.#charges.add(String(effect.cents % 7)))',
  ],
  ['refused cards are good', 'memory-store', "if (effect.card === 'refused') return 'unavailable'", ''],
  [
    'dear orders are refused',
    'memory-store',
    "if (effect.card === 'refused')",
    "if (effect.card === 'refused' || effect.cents > 900)",
  ],
  ['tries that are not counted', 'memory-store', 'this.#tries.set(effect.order, tries)', ''],
  // The warehouse
  ['sold out with the last one there', 'memory-store', "left < 0 ? 'sold out'", "left <= 0 ? 'sold out'"],
  [
    'more than there is',
    'memory-store',
    "left < 0 ? 'sold out' : 'taken'\n        if (left >= 0)",
    "left < -1 ? 'sold out' : 'taken'\n        if (left >= -1)",
  ],
  [
    'stock that stays',
    'memory-store',
    'if (left >= 0) this.#leave(effect.item, left)',
    'if (left >= 0) this.#isBooked = true',
  ],
  [
    'stock that shrinks by one',
    'memory-store',
    'this.#leave(effect.item, left)\n        this.#taken',
    'this.#leave(effect.item, left + effect.quantity - 1)\n        this.#taken',
  ],
  ['takings that are forgotten', 'memory-store', 'this.#taken.set(effect.order, answer)', ''],
  [
    'takings of an item, not of an order',
    'memory-store',
    'this.#taken.get(effect.order)',
    'this.#taken.get(effect.item)',
  ],
  // The states
  [
    'any order under a known id',
    'memory-store',
    "if (known !== undefined && known !== effect.content) return 'conflict'",
    '',
  ],
  [
    'the last order under an id',
    'memory-store',
    "if (known !== undefined && known !== effect.content) return 'conflict'",
    'if (known !== effect.content) this.#contents.set(effect.order, effect.content)',
  ],
  ['created again', 'memory-store', "if (this.#orders.has(effect.order)) return 'known'", ''],
  ['stale states win', 'memory-store', "if (known && known.version >= effect.version) return 'stale'", ''],
  ['equal versions win', 'memory-store', 'known.version >= effect.version', 'known.version > effect.version'],
  ['advanced in words only', 'memory-store', 'this.#enter(effect.order, effect.state, effect.version)', ''],
  [
    'another state is kept',
    'memory-store',
    'this.#orders.set(order, { state, version })',
    "this.#orders.set(order, { state: state === 'sold out' ? 'shipped' : state, version })",
  ],
])('finds %s', async (_, file, from, to) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const system = simulatedPipeline(undefined, await changed(file, from, to))
  const { found } = await search(system, { seed, scenarios: orderScenarios(4), histories: 50_000, beginnings: 1 })
  expect(found, `seed ${seed}`).toBeDefined()
})

it('finds a server that replies before its disk has the request', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const system = simulatedPipeline(undefined, { isSynced: false })
  const { found } = await search(system, { seed, scenarios: orderScenarios(4), histories: 50_000, beginnings: 1 })
  expect(found, `seed ${seed}`).toBeDefined()
})

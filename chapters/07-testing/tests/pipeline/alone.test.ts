import { expect, it } from 'vitest'
import { shipAlone } from '../../src/pipeline/alone.ts'
import { ordersOf, stockFor } from '../../src/pipeline/load.ts'
import { MemoryStore, till } from '../../src/pipeline/memory-store.ts'

it('one thread alone takes every order to its end, and loses neither goods nor money', () => {
  const orders = ordersOf(1, 200)
  const stock = stockFor(orders)
  const store = new MemoryStore(stock)
  shipAlone(orders, store)
  const { states, accounts, stock: left } = store.books()
  const shipped = orders.filter(({ id }) => states[id] === 'shipped')
  for (const { id, card } of orders) {
    expect(states[id]).toMatch(card === 'refused' ? /^failed$/ : /^(shipped|sold out)$/)
  }
  expect(shipped.length).toBeLessThan(orders.length - 4)
  for (const item of Object.keys(stock)) {
    const sold = shipped.filter((order) => order.item === item).reduce((sum, { quantity }) => sum + quantity, 0)
    expect(left[item]).toBe((stock[item] ?? 0) - sold)
  }
  expect(accounts[till]).toBe(shipped.reduce((sum, { cents }) => sum + cents, 0))
})

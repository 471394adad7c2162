/** Simulation: all handlers on five simulated nodes with a bad network: hundreds of whole histories in less than a second. */
import { expect, it } from 'vitest'
import { search } from '../../src/simulator/search.ts'
import { historyText } from '../../src/simulator/simulator.ts'
import { bug } from './planted.ts'

it('finds no history that breaks a promise', async () => {
  // Another one in every run. The message of a failure holds the history.
  const seed = Math.floor(Math.random() * 2 ** 31)
  const { found, messages } = await search({ seed, histories: 2_000, orders: 4, bug })
  expect(found && { seed, history: historyText(found.run.history), ...found.run.violations }).toBeUndefined()
  expect(messages).toBeGreaterThan(50_000)
})

/** Simulation: all handlers on five simulated nodes with a bad network: thousands of whole histories in a moment. */
import { search } from '@repo/simulator/search'
import { historyText } from '@repo/simulator/simulator'
import { expect, it } from 'vitest'
import { nodes, orderScenarios, simulatedPipeline } from '../../src/pipeline/simulated.ts'
import { bug } from './planted.ts'

it('finds no history that breaks a promise', async () => {
  // A new seed in every run. A failure's message contains the history.
  const seed = Math.floor(Math.random() * 2 ** 31)
  const settings = { seed, scenarios: orderScenarios(4), histories: 2_000 }
  const { found, messages } = await search(simulatedPipeline(bug), settings)
  expect(found && { seed, history: historyText(found.run.history, nodes), ...found.run.violations }).toBeUndefined()
  expect(messages).toBeGreaterThan(50_000)
})

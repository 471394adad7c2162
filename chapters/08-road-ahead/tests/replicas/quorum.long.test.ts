/** Repair before the answer, in many histories. */
import { search } from '@repo/simulator/search'
import { expect, it } from 'vitest'
import { quorumSystem, searchedScenarios } from '../../src/replicas/group.ts'
import type { Setting } from '../../src/replicas/quorum.ts'

it.each([
  [3, 2, 2],
  [3, 3, 1],
  [3, 1, 3],
  [5, 3, 3],
])('%i copies, W %i, R %i break nothing in 20,000 histories', { timeout: 600_000 }, async (n, w, r) => {
  const copies = ['a', 'b', 'c', 'd', 'e'].slice(0, n)
  const setting: Setting = { copies, keeper: 'k', w, r, order: 'counter', repair: 'before', handOff: 'none' }
  const seed = Math.floor(Math.random() * 2 ** 31)
  const { found } = await search(quorumSystem(setting), {
    seed,
    scenarios: searchedScenarios(setting),
    histories: 20_000,
  })
  expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
})

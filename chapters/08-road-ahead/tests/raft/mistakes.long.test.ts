/** All ten mistakes are found, and the correct version has no alarm in many histories. */
import { search } from '@repo/simulator/search'
import { expect, it } from 'vitest'
import { raftGroup, raftScenarios } from '../../src/raft/group.ts'
import { type Mistake, mistakes } from '../../src/raft/mistakes.ts'
import { expectFound } from './found.ts'

it.each(Object.keys(mistakes) as Mistake[])(
  'a server that %s is found within 10,000 histories, for two seeds',
  { timeout: 300_000 },
  async (mistake) => {
    for (const seed of [3, 4]) await expectFound(mistake, seed)
  },
)

it.each([3, 5] as const)(
  '%i servers without a mistake break nothing in 20,000 histories',
  {
    timeout: 600_000,
  },
  async (size) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(raftGroup(size), { seed, scenarios: raftScenarios({ size }), histories: 20_000 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  },
)

import { search } from '@repo/simulator/search'
import { expect } from 'vitest'
import { raftGroup, raftScenarios, type Violation } from '../../src/raft/group.ts'
import type { Mistake } from '../../src/raft/mistakes.ts'

const lostEntries = ['leader completeness', 'state machine safety', 'linearizability'] as const

/** The rules of the paper that each mistake may break; a client sees it as well, in the end. */
const broken: Record<Mistake, readonly Violation['rule'][]> = {
  'forgets its vote': ['election safety', ...lostEntries],
  'votes for old logs': lostEntries,
  'half is enough': ['election safety', ...lostEntries],
  'counts old terms': lostEntries,
  'does not compare': lostEntries,
  'always cuts': lostEntries,
  'answers before saving': lostEntries,
  'reads alone': ['linearizability'],
  'carries out twice': ['linearizability'],
  'believes the leader': lostEntries,
}

/** Expects a mistake to be found within 10,000 histories, by a rule that it breaks. */
export async function expectFound(mistake: Mistake, seed: number, size: 3 | 5 = 3) {
  const settings = { seed, scenarios: raftScenarios({ size }), histories: 10_000, beginnings: 1 }
  const { found } = await search(raftGroup(size, mistake), settings)
  const [violation] = found?.run.violations ?? []
  expect(violation, `${mistake}, seed ${seed}`).toBeDefined()
  expect(broken[mistake]).toContain(violation?.rule)
}

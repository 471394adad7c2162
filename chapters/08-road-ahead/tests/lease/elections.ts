/** What must come out when processes stand for election on a real store. */
import { expect } from 'vitest'
import { type Fault, runFaults } from '../../src/lease/elections.ts'
import type { StoreName } from '../../src/lease/lease.ts'
import { stores } from '../../src/lease/stores.ts'

const faults: readonly Fault[] = [
  { name: 'killed', strike: 'killed', pace: 1, drift: 0.1 },
  { name: 'paused', strike: 'paused', pace: 1, drift: 0.1 },
  { name: 'cut off', strike: 'cut off', pace: 1, drift: 0.1 },
  { name: 'cut off, slow', strike: 'cut off', pace: 0.5, drift: 0.1 },
]

/** Strikes the leader in several ways, in two elections at the same time. */
export async function expectElections(store: StoreName, leaseMs: number) {
  await using running = await stores[store].start()
  const elections = [3, 4].map((renewals) => ({ leaseMs, everyMs: leaseMs / renewals }))
  const started: string[] = []
  const outcomes = await runFaults(running.place, faults, {
    elections,
    pauseMs: 3 * leaseMs,
    onFault: (name, done) => started.push(`${done} ${name}`),
  })
  expect(started).toEqual(['0 killed', '1 paused', '2 cut off', '3 cut off, slow'])
  const seen = outcomes.map((each) => {
    expect(each.map(({ election }) => election)).toEqual(elections)
    return each.map(({ terms, troubles }) => ({
      last: terms.at(-1)?.name,
      kinds: [...new Set(troubles.map(({ kind }) => kind))].sort(),
    }))
  })
  const [killed = [], paused = [], cutOff = [], slow = []] = seen
  for (const { last, kinds } of [...killed, ...cutOff]) {
    expect(last).not.toBe('a')
    expect(kinds).toEqual(['nobody leads'])
  }
  for (const { kinds } of paused) expect(kinds).toContain('two lead')
  // Its clock says that there is still time.
  for (const { last, kinds } of slow) {
    expect(last).not.toBe('a')
    expect(kinds).toContain('two lead')
  }
}

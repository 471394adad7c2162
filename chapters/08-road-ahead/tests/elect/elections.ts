/** What must come out when processes stand for election on a real store. */
import { expect } from 'vitest'
import { type Fault, runFault } from '../../src/elect/live.ts'
import { type StoreName, stores } from '../../src/lease/stores.ts'

/** Strikes the leader in several ways, in two elections at the same time. */
export async function expectElections(store: StoreName, leaseMs: number) {
  await using running = await stores[store].start({})
  const strike = async (fault: Omit<Fault, 'name'>) => {
    const name = JSON.stringify(fault)
    const elections = [1, 2].map((copy) => ({ id: `${name} ${copy}`, leaseMs, everyMs: leaseMs / 4 }))
    const place = { store, address: running.address }
    const outcomes = await runFault(place, { name, ...fault }, { elections, pauseMs: 3 * leaseMs })
    expect(outcomes.map(({ election }) => election)).toEqual(elections)
    return outcomes.map(({ terms, troubles }) => ({
      last: terms.at(-1)?.name,
      kinds: [...new Set(troubles.map(({ kind }) => kind))].sort(),
    }))
  }
  for (const { last, kinds } of await strike({ strike: 'killed', pace: 1, drift: 0.1 })) {
    expect(last).not.toBe('a')
    expect(kinds).toEqual(['nobody leads'])
  }
  for (const { kinds } of await strike({ strike: 'paused', pace: 1, drift: 0.1 })) expect(kinds).toContain('two lead')
  for (const { last, kinds } of await strike({ strike: 'cut off', pace: 1, drift: 0.1 })) {
    expect(last).not.toBe('a')
    expect(kinds).toEqual(['nobody leads'])
  }
  // Its clock says that there is still time.
  for (const { last, kinds } of await strike({ strike: 'cut off', pace: 0.5, drift: 0.1 })) {
    expect(last).not.toBe('a')
    expect(kinds).toContain('two lead')
  }
}

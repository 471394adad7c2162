/** What must come out when processes stand for election on a real store. */
import { expect } from 'vitest'
import { type Fault, type Outcome, runFaults } from '../../src/lease/elections.ts'
import { findTroubles } from '../../src/lease/leaders.ts'
import type { StoreName } from '../../src/lease/lease.ts'
import { stores } from '../../src/lease/stores.ts'

const killed: Fault = { name: 'killed', strike: 'killed', pace: 1, drift: 0.1 }
const paused: Fault = { name: 'paused', strike: 'paused', pace: 1, drift: 0.1 }
const cutOff: Fault = { name: 'cut off', strike: 'cut off', pace: 1, drift: 0.1 }
const slow: Fault = { name: 'cut off, slow', strike: 'cut off', pace: 0.5, drift: 0.1 }

const kindsOf = ({ troubles }: Pick<Outcome, 'troubles'>) => [...new Set(troubles.map(({ kind }) => kind))].sort()
/** The troubles if a candidate that got no core, and so did nothing, led for as long as it still looked. */
function whenAwake({ terms }: Outcome) {
  const troubles = findTroubles(
    terms.map(({ lookedMs, ...term }) => ({ ...term, toMs: lookedMs })),
    Math.max(...terms.map(({ toMs }) => toMs)),
  )
  return kindsOf({ troubles })
}

/** Strikes the leader in several ways, in two elections at the same time. */
export async function expectElections(store: StoreName, leaseMs: number) {
  await using running = await stores[store].start()
  const elections = [3, 4].map((renewals) => ({ leaseMs, everyMs: leaseMs / renewals }))
  const strike = (faults: Fault[], onFault?: (name: string, done: number) => void) =>
    runFaults(running.place, faults, { elections, pauseMs: 3 * leaseMs, ...(onFault && { onFault }) })
  const started: string[] = []
  const faults = [killed, cutOff, paused, slow]
  const outcomes = await strike(faults, (name, done) => started.push(`${done} ${name}`))
  expect(started).toEqual(['0 killed', '1 cut off', '2 paused', '3 cut off, slow'])
  for (const [at, each] of outcomes.entries()) {
    expect(each.map(({ election }) => election)).toEqual(elections)
    if (faults[at] !== paused) for (const { terms } of each) expect(terms.at(-1)?.name).not.toBe('a')
  }
  for (const outcome of outcomes.slice(0, 2).flat()) expect(whenAwake(outcome)).toEqual(['nobody leads'])

  // Paused, or by its own clock, it leads for longer. There are two if another one asks in that time, which a busy machine
  // may keep it from: then it is struck again.
  for (const fault of [paused, slow]) {
    let isSeen = elections.map(() => false)
    for (let times = 0; times < 20 && isSeen.includes(false); times++) {
      const [seen = []] = times === 0 ? [outcomes[faults.indexOf(fault)]] : await strike([fault])
      isSeen = isSeen.map((was, at) => was || (seen[at] !== undefined && kindsOf(seen[at]).includes('two lead')))
    }
    expect(isSeen, fault.name).toEqual([true, true])
  }
}

/** How a planted bug is to be found by chaos. */
import { expect } from 'vitest'
import { type Struck, startChaos } from '../../src/chaos/chaos.ts'
import { faultsOf, kindNames } from '../../src/chaos/faults.ts'
import { check, type Invariant } from '../../src/pipeline/invariants.ts'
import type { Bug } from '../../src/pipeline/orders.ts'

/** What a bug must break. */
const broken: Record<Bug, Invariant> = {
  'lost-update': 'goods balance',
  'double-charge': 'money balances',
  'early-ack': 'no order lost',
  'clock-order': 'no order lost',
  'unbounded-retry': 'retries bounded',
}
/**
 * What it may break besides. Two workers with the same order may see different stocks: one ships, the other refunds.
 * Where the clock decides, a state may go back, or stay "paid" after the refund. And an order that is lost between its
 * refund and its last state stays "paid" too.
 */
const also: Partial<Record<Bug, Invariant[]>> = {
  'lost-update': ['money balances'],
  'early-ack': ['money balances'],
  'clock-order': ['states move forward', 'money balances'],
}

/** Runs the pipeline with a bug under every fault. The bug must show, and nothing else may. */
export async function finds(bug: Bug): Promise<void> {
  // A new seed in every run, because any seed must find it. A failure's message names it.
  const seed = Math.floor(Math.random() * 2 ** 31)
  const workers = { payment: 1, shipping: 2 }
  const settings = { seed, orders: 100, kinds: kindNames, workers, lockMs: 500, rate: 150, bug }
  await using chaos = await startChaos(settings, { signal: new AbortController().signal })
  const struck: Struck[] = []
  for (const fault of faultsOf(settings)) struck.push(await chaos.strike(fault))
  const outcome = await chaos.settle()
  const found = check(outcome)
  // What has happened, if the test fails.
  const story = JSON.stringify({ seed, found: found.map(({ detail }) => detail), struck })
  const kinds = new Set(found.map(({ invariant }) => invariant))
  expect(kinds, story).toContain(broken[bug])
  expect(kinds.difference(new Set([broken[bug], ...(also[bug] ?? [])])), story).toEqual(new Set())
  if (bug === 'early-ack') {
    const lost = new Set(found.flatMap(({ invariant, order }) => (invariant === 'no order lost' ? [order] : [])))
    expect(
      found.filter(({ order }) => !lost.has(order)),
      story,
    ).toEqual([])
  }
  for (const { kind, held, target } of struck)
    if (kind === 'kill') expect(held, `${target}: ${story}`).toBeGreaterThan(0)
}

/**
 * What must hold whatever happens, checked on the recorded history: `chaos` checks the real pipeline, `simulate` every
 * run.
 */
import type { Entry } from './memory-store.ts'
import { isFinal, type Order, type State } from './orders.ts'

export const invariantNames = [
  /** An order that was accepted ends as shipped, sold out or failed. */
  'no order lost',
  /** A client who gets the goods pays once, and a client who gets none pays nothing. */
  'charged once',
  /** What is left is what there was minus what was taken, and never below 0. */
  'stock never negative',
  /** The bank is asked at most five times for an order that it does not accept. */
  'retries bounded',
] as const
export type Invariant = (typeof invariantNames)[number]

export interface Violation {
  invariant: Invariant
  /** Names the order or item, and what was seen. */
  detail: string
  /** The order's id, if it is about one. */
  order?: string
}

export interface Observed {
  /** Everything that the store has performed, in the order in which it did so. */
  history: readonly Entry[]
  /** The orders that were accepted, as far as the client knows. */
  accepted: readonly Order[]
  /** The number of each item, at first and at the end. */
  stockBefore: Readonly<Record<string, number>>
  stockAfter: Readonly<Record<string, number>>
  /** Whether the run was stopped while something was still under way: then no order is lost yet. */
  unfinished?: boolean
}

export const mostRefusals = 5

/** Returns the violations, in the order of the invariants. */
export function check({ history, accepted, stockBefore, stockAfter, unfinished = false }: Observed): Violation[] {
  const state = new Map<string, State>()
  const charges = new Map<string, Set<string>>()
  const refused = new Map<string, number>()
  const refunded = new Set<string>()
  const taken = new Map<string, { item: string; quantity: number }>()
  for (const { effect, answer } of history) {
    const { order } = effect
    if (effect.do === 'create' && answer === 'created') state.set(order, 'placed')
    else if (effect.do === 'advance' && answer === 'advanced') state.set(order, effect.state)
    else if (effect.do === 'charge' && answer === 'charged') {
      // The bank charges once per key, however often it is asked.
      const keys = charges.get(order) ?? new Set()
      charges.set(order, keys.add(effect.key))
    } else if (effect.do === 'charge' && answer === 'unavailable') refused.set(order, 1 + (refused.get(order) ?? 0))
    else if (effect.do === 'refund') refunded.add(order)
    else if ((effect.do === 'take' || effect.do === 'write stock') && answer === 'taken') taken.set(order, effect)
  }

  const violations: Violation[] = []
  const violated = (invariant: Invariant, detail: string, order?: string) =>
    violations.push({ invariant, detail, ...(order !== undefined && { order }) })
  for (const { id } of accepted) {
    const last = state.get(id)
    if (!unfinished && !isFinal(last)) {
      const goods = taken.has(id) ? ', though its goods were taken from stock' : ''
      violated('no order lost', `${id} was accepted, and is "${last ?? 'unknown'}" for ever${goods}`, id)
    }
  }
  for (const [id, keys] of charges) {
    if (keys.size > 1) violated('charged once', `${id} was charged ${keys.size} times`, id)
    else if (refunded.has(id) && state.get(id) === 'shipped')
      violated('charged once', `${id} was shipped and refunded`, id)
  }
  for (const [id, last] of state) {
    if (last === 'shipped' && !charges.has(id)) violated('charged once', `${id} was shipped and not charged`, id)
    if (last === 'failed' && charges.has(id)) violated('charged once', `${id} failed and was charged`, id)
    if (last === 'sold out' && !refunded.has(id)) violated('charged once', `${id} is sold out and was not refunded`, id)
  }
  for (const [item, before] of Object.entries(stockBefore)) {
    let sold = 0
    for (const { item: of, quantity } of taken.values()) if (of === item) sold += quantity
    const left = stockAfter[item]
    if (left !== before - sold || left < 0) {
      violated('stock never negative', `${item}: ${before} at first, ${sold} sold, and ${left} left`)
    }
  }
  for (const [id, times] of refused) {
    if (times > mostRefusals) violated('retries bounded', `the bank was asked ${times} times for ${id}`, id)
  }
  return violations
}

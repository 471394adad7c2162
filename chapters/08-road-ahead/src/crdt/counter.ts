/**
 * A counter that several replicas change at once: each has two sums of its own, which only grow. Source: the PN-counter
 * of Shapiro, Preguiça, Baquero and Zawirski, "A comprehensive study of convergent and commutative replicated data
 * types" (2011).
 */
import { mergeMaps } from './lattice.ts'

/** For each replica, what it has added and what it has taken away. */
export type Counter = ReadonlyMap<string, { up: number; down: number }>

/** Returns the delta that adds a whole number, which may be negative. */
export function add(counter: Counter, replica: string, amount: number): Counter {
  const { up, down } = counter.get(replica) ?? { up: 0, down: 0 }
  return new Map([[replica, { up: up + Math.max(0, amount), down: down + Math.max(0, -amount) }]])
}

export function mergeCounters(a: Counter, b: Counter): Counter {
  return mergeMaps(a, b, (own, other) => ({ up: Math.max(own.up, other.up), down: Math.max(own.down, other.down) }))
}

/** Returns what the counter shows. */
export function total(counter: Counter): number {
  return [...counter.values()].reduce((sum, { up, down }) => sum + up - down, 0)
}

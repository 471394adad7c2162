// The checker says: Two events have the same vector.
/** Merges the vectors, and forgets that the receipt is an event itself. */
import type { Order, Vector } from '../check.ts'

export function lamport(last: number, received = 0): number {
  return Math.max(last, received) + 1
}

export function tick(last: Vector, process: string): Vector {
  return { ...last, [process]: (last[process] ?? 0) + 1 }
}

export function receive(last: Vector, received: Vector): Vector {
  const heard: Record<string, number> = { ...last }
  for (const [other, count] of Object.entries(received)) heard[other] = Math.max(heard[other] ?? 0, count)
  return heard
}

export function compare(a: Vector, b: Vector): Order {
  const processes = Object.keys({ ...a, ...b })
  const aHasMore = processes.some((process) => (a[process] ?? 0) > (b[process] ?? 0))
  const bHasMore = processes.some((process) => (b[process] ?? 0) > (a[process] ?? 0))
  if (aHasMore && bHasMore) return 'concurrent'
  if (aHasMore) return 'after'
  return bHasMore ? 'before' : 'same'
}

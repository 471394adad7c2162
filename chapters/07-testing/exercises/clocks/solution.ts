/** Clocks that count events, not seconds. */
import type { Order, Vector } from './check.ts'

/**
 * Returns the reading of a Lamport clock for the next event of a process.
 *
 * @param last the process's last reading; 0 before its first event
 * @param received the reading that came with a message, if the event is its receipt
 */
export function lamport(last: number, received = 0): number {
  // Both are causes of the event: what the process did before, and the sending of the message.
  return Math.max(last, received) + 1
}

/** Returns the vector of the next event of a process, which is not the receipt of a message. */
export function tick(last: Vector, process: string): Vector {
  return { ...last, [process]: (last[process] ?? 0) + 1 }
}

/** Returns the vector of the next event of a process, which receives a message with another vector. */
export function receive(last: Vector, received: Vector, process: string): Vector {
  const heard: Record<string, number> = { ...last }
  for (const [other, count] of Object.entries(received)) heard[other] = Math.max(heard[other] ?? 0, count)
  // The receipt is an event of its own: without this it would have the reading of the sending.
  return tick(heard, process)
}

/** Returns how two events are ordered, by their vectors. */
export function compare(a: Vector, b: Vector): Order {
  // The processes of both: one may have heard of a process that the other has not.
  const processes = Object.keys({ ...a, ...b })
  const aHasMore = processes.some((process) => (a[process] ?? 0) > (b[process] ?? 0))
  const bHasMore = processes.some((process) => (b[process] ?? 0) > (a[process] ?? 0))
  if (aHasMore && bHasMore) return 'concurrent'
  if (aHasMore) return 'after'
  return bHasMore ? 'before' : 'same'
}

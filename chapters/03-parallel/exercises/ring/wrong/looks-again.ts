// The checker says: b sleeps for ever, although there is room in the ring.
/** Sleeps on a newer value of the head than the one by which the ring was full: the wake-up came in between. */

type Memory = Int32Array<SharedArrayBuffer>

export const tail = 0
export const head = 1
export const slots = 2

export function put(memory: Memory, item: number): void {
  const capacity = memory.length - slots
  for (;;) {
    const position = Atomics.load(memory, tail)
    const isFull = position - Atomics.load(memory, head) >= capacity
    if (isFull) Atomics.wait(memory, head, Atomics.load(memory, head))
    else if (Atomics.compareExchange(memory, tail, position, position + 1) === position) {
      const slot = slots + (position % capacity)
      Atomics.store(memory, slot, item)
      Atomics.notify(memory, slot)
      return
    }
  }
}

export function take(memory: Memory): number {
  const taken = Atomics.load(memory, head)
  const slot = slots + (taken % (memory.length - slots))
  while (Atomics.load(memory, slot) === 0) Atomics.wait(memory, slot, 0)
  const item = Atomics.exchange(memory, slot, 0)
  Atomics.store(memory, head, taken + 1)
  Atomics.notify(memory, head)
  return item
}

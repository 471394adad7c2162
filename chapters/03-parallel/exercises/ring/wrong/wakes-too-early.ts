// The checker says: a sleeps for ever, although there is room in the ring.
/** Wakes the producers before the head says that there is room. */

type Memory = Int32Array<SharedArrayBuffer>

export const tail = 0
export const head = 1
export const slots = 2

export function put(memory: Memory, item: number): void {
  const capacity = memory.length - slots
  for (;;) {
    const position = Atomics.load(memory, tail)
    const taken = Atomics.load(memory, head)
    if (position - taken >= capacity) Atomics.wait(memory, head, taken)
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
  Atomics.notify(memory, head)
  Atomics.store(memory, head, taken + 1)
  return item
}

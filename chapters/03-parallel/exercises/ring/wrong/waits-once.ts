// The checker says: An item is lost: another one is written over it.
/** Claims a place at once, and waits a single time until it is free. */

type Memory = Int32Array<SharedArrayBuffer>

export const tail = 0
export const head = 1
export const slots = 2

export function put(memory: Memory, item: number): void {
  const capacity = memory.length - slots
  const position = Atomics.add(memory, tail, 1)
  const taken = Atomics.load(memory, head)
  if (position - taken >= capacity) Atomics.wait(memory, head, taken)
  const slot = slots + (position % capacity)
  Atomics.store(memory, slot, item)
  Atomics.notify(memory, slot)
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

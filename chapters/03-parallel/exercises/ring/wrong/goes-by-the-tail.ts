// The checker says: take returns 0, which nobody has put.
/** The consumer takes a place as soon as it is claimed, although its item may not be written yet. */

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
      Atomics.store(memory, slots + (position % capacity), item)
      Atomics.notify(memory, tail)
      return
    }
  }
}

export function take(memory: Memory): number {
  const taken = Atomics.load(memory, head)
  while (Atomics.load(memory, tail) === taken) Atomics.wait(memory, tail, taken)
  const item = Atomics.exchange(memory, slots + (taken % (memory.length - slots)), 0)
  Atomics.store(memory, head, taken + 1)
  Atomics.notify(memory, head)
  return item
}

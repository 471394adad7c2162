/** A bounded ring in shared memory for any number of producers and one consumer. At first all its words are 0. */

type Memory = Int32Array<SharedArrayBuffer>

/** The word that counts the places that producers have claimed. */
export const tail = 0
/** The word that counts the items that the consumer has taken. */
export const head = 1
/** The first slot. The slots are the rest of the memory. Item n, from 0, lies in slot n modulo their number; 0 is no item. */
export const slots = 2

/** Puts an item, a whole number from 1, at the end. While the ring is full, the calling thread sleeps. */
export function put(memory: Memory, item: number): void {
  const capacity = memory.length - slots
  for (;;) {
    const position = Atomics.load(memory, tail)
    const taken = Atomics.load(memory, head)
    // Sleeps on the very value by which the ring was full: if it has changed since, there is room.
    if (position - taken >= capacity) Atomics.wait(memory, head, taken)
    // The tail moves only if no other producer has claimed this place.
    else if (Atomics.compareExchange(memory, tail, position, position + 1) === position) {
      const slot = slots + (position % capacity)
      Atomics.store(memory, slot, item)
      Atomics.notify(memory, slot)
      return
    }
  }
}

/** Takes the first item and returns it. If there is none, the calling thread sleeps until there is. Only one thread takes items. */
export function take(memory: Memory): number {
  const taken = Atomics.load(memory, head)
  const slot = slots + (taken % (memory.length - slots))
  // The tail may already count an item that is not written yet: only the slot says that it is there.
  while (Atomics.load(memory, slot) === 0) Atomics.wait(memory, slot, 0)
  const item = Atomics.exchange(memory, slot, 0)
  // The slot is empty before producers hear of it.
  Atomics.store(memory, head, taken + 1)
  Atomics.notify(memory, head)
  return item
}

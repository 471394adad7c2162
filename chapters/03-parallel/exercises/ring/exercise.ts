/** A bounded ring in shared memory for any number of producers and one consumer. At first all its words are 0. */

type Memory = Int32Array<SharedArrayBuffer>

/** The word that counts the places that producers have claimed. */
export const tail = 0
/** The word that counts the items that the consumer has taken. */
export const head = 1
/** The first slot. The slots are the rest of the memory. Item n, from 0, lies in slot n modulo their number; 0 is no item. */
export const slots = 2

/** Puts an item, a whole number from 1, at the end. While the ring is full, the calling thread sleeps. */
export function put(_memory: Memory, _item: number): void {
  // Your code: two producers must never claim the same place.
}

/** Takes the first item and returns it. If there is none, the calling thread sleeps until there is. Only one thread takes items. */
export function take(_memory: Memory): number {
  // Your code.
  return 0
}

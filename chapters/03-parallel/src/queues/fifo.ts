/**
 * First in, first out, in constant time. An array's own `shift` moves all other items, so emptying a long one takes
 * quadratic time.
 *
 * Items are added to one stack and taken from the other, in which they lie in reverse. When that one is empty, the first
 * is turned over: so each item moves once. What has been taken is held no longer.
 */
export class Fifo<T> {
  #added: T[] = []
  #next: T[] = []

  /** The item to be taken next; undefined if there is none. */
  get first(): T | undefined {
    this.#turnOver()
    return this.#next.at(-1)
  }

  get size(): number {
    return this.#added.length + this.#next.length
  }

  push(item: T): void {
    this.#added.push(item)
  }

  /** Puts an item in front of all others. */
  putBack(item: T): void {
    this.#next.push(item)
  }

  /** Removes the first item and returns it. */
  shift(): T | undefined {
    this.#turnOver()
    return this.#next.pop()
  }

  /** Removes all items and returns them in order. */
  clear(): T[] {
    const items = [...this.#next.reverse(), ...this.#added]
    this.#added = []
    this.#next = []
    return items
  }

  #turnOver(): void {
    if (this.#next.length > 0) return
    this.#next = this.#added.reverse()
    this.#added = []
  }
}

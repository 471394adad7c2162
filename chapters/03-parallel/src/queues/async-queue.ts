/** A queue without bound inside one thread, whose takers wait on the event loop. */
export class AsyncQueue<T> {
  #items: T[] = []
  #takers: ((item: T) => void)[] = []

  put(item: T): void {
    const taker = this.#takers.shift()
    if (taker) taker(item)
    else this.#items.push(item)
  }

  /** Puts an item back in front of all others. */
  putBack(item: T): void {
    const taker = this.#takers.shift()
    if (taker) taker(item)
    else this.#items.unshift(item)
  }

  /** The next item, as soon as there is one. */
  async take(): Promise<T> {
    if (this.#items.length > 0) return this.#items.shift() as T
    return await new Promise((resolve) => this.#takers.push(resolve))
  }
}

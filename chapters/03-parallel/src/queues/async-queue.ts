/** An unbounded queue inside one thread. Its takers wait on the event loop. */
export class AsyncQueue<T> {
  #items: T[] = []
  #takers: PromiseWithResolvers<T>[] = []
  #failure: { error: unknown } | undefined

  put(item: T): void {
    const taker = this.#takers.shift()
    if (taker) taker.resolve(item)
    else this.#items.push(item)
  }

  /** Puts an item back in front of all others. */
  putBack(item: T): void {
    const taker = this.#takers.shift()
    if (taker) taker.resolve(item)
    else this.#items.unshift(item)
  }

  /** Says that no more items will come, and why: takers that find none, now or later, get the error. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    for (const taker of this.#takers.splice(0)) taker.reject(error)
  }

  /** The next item, as soon as there is one. */
  async take(): Promise<T> {
    if (this.#items.length > 0) return this.#items.shift() as T
    if (this.#failure) throw this.#failure.error
    const taker = Promise.withResolvers<T>()
    this.#takers.push(taker)
    return await taker.promise
  }
}

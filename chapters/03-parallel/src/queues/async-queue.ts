import { Fifo } from './fifo.ts'

/** An unbounded queue inside one thread. Its takers wait on the event loop. */
export class AsyncQueue<T> {
  readonly #items = new Fifo<T>()
  readonly #takers = new Fifo<PromiseWithResolvers<T>>()
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
    else this.#items.putBack(item)
  }

  /** Says that no more items will come, and why: takers that find none, now or later, get the error. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    for (const taker of this.#takers.clear()) taker.reject(error)
  }

  /** The next item, as soon as there is one. */
  async take(): Promise<T> {
    if (this.#items.size > 0) return this.#items.shift() as T
    if (this.#failure) throw this.#failure.error
    const taker = Promise.withResolvers<T>()
    this.#takers.push(taker)
    return await taker.promise
  }
}

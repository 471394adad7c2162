/** First in, first out. An array's shift() moves up all that are left: a long queue would take quadratic time. */
export class Fifo<T> {
  #items: T[] = []
  #first = 0

  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** Takes the first one out. */
  shift(): void {
    if (++this.#first < 1024) return
    this.#items.splice(0, this.#first)
    this.#first = 0
  }

  /** Takes all of them out. */
  clear(): T[] {
    return this.#items.splice(this.#first)
  }
}

/** What a run of chaos is told by: who was up, whose line was slow or silent, from when to when. */

/** A stretch of time in the life of a process, in ms since the first order was sent. */
export interface Span {
  who: string
  what: 'up' | 'slow' | 'silent'
  from: number
  to: number
}

export class TimeLine {
  readonly spans: Span[] = []
  readonly #begin = performance.now()
  /** Who is up, and since when. */
  readonly #up = new Map<string, Disposable>()

  now(): number {
    return performance.now() - this.#begin
  }

  /** A span that ends when what is returned is disposed of. */
  open(who: string, what: Span['what']): Disposable {
    const from = this.now()
    return { [Symbol.dispose]: () => void this.spans.push({ who, what, from, to: this.now() }) }
  }

  rises(who: string): void {
    this.#up.set(who, this.open(who, 'up'))
  }

  falls(who: string): void {
    this.#up.get(who)?.[Symbol.dispose]()
    this.#up.delete(who)
  }

  end(): void {
    for (const who of [...this.#up.keys()]) this.falls(who)
  }
}

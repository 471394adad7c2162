/** The in-memory store, for the simulator and for tests: it gives the same answers as the script in redis-store.ts. */
import type { Answer, Effect, State } from './orders.ts'

/** The effects that the store performs; sending and acknowledging are up to the queue. */
export type StoreEffect = Exclude<Effect, { do: 'send' | 'acknowledge' }>

/** An effect that the store has performed, and its answer. The history is a list of these, in the store's order. */
export interface Entry {
  effect: StoreEffect
  answer: Answer
  /** The process that asked. */
  by: string
  /** When it asked, by its own clock. That is for human readers: the true order is that of the list. */
  atMs: number
}

export class MemoryStore {
  readonly history: Entry[] = []
  readonly stock: Map<string, number>
  readonly #orders = new Map<string, { state: State; version: number }>()
  readonly #charges = new Set<string>()
  readonly #tries = new Map<string, number>()
  readonly #taken = new Map<string, Answer>()

  constructor(stock: Record<string, number>) {
    this.stock = new Map(Object.entries(stock))
  }

  /** Performs an effect in one atomic step. */
  perform(effect: StoreEffect, by: string, atMs: number): Answer {
    const answer = this.#answer(effect)
    this.history.push({ effect, answer, by, atMs })
    return answer
  }

  stateOf(order: string): State | undefined {
    return this.#orders.get(order)?.state
  }

  #answer(effect: StoreEffect): Answer {
    switch (effect.do) {
      case 'create':
        if (this.#orders.has(effect.order)) return 'known'
        this.#orders.set(effect.order, { state: 'placed', version: effect.version })
        return 'created'
      case 'charge': {
        if (this.#charges.has(effect.key)) return 'charged'
        const tries = 1 + (this.#tries.get(effect.order) ?? 0)
        if (tries > effect.mostTries) return 'given up'
        this.#tries.set(effect.order, tries)
        if (effect.card === 'refused') return 'unavailable'
        this.#charges.add(effect.key)
        return 'charged'
      }
      case 'refund':
        this.#charges.add(`refund of ${effect.order}`)
        return 'refunded'
      case 'take': {
        const known = this.#taken.get(effect.order)
        if (known !== undefined) return known
        const left = (this.stock.get(effect.item) ?? 0) - effect.quantity
        const answer = left < 0 ? 'sold out' : 'taken'
        if (left >= 0) this.stock.set(effect.item, left)
        this.#taken.set(effect.order, answer)
        return answer
      }
      case 'read stock':
        return this.stock.get(effect.item) ?? 0
      case 'write stock':
        this.stock.set(effect.item, effect.left)
        return 'taken'
      case 'advance': {
        const known = this.#orders.get(effect.order)
        if (known && known.version >= effect.version) return 'stale'
        this.#orders.set(effect.order, { state: effect.state, version: effect.version })
        return 'advanced'
      }
    }
  }
}

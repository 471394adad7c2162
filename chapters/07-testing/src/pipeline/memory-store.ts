/** The in-memory store, for the simulator and for tests: it gives the same answers as the script in redis-store.ts. */
import type { Answer, Effect, State } from './orders.ts'

/** The effects that the store performs; sending and acknowledging are up to the queue. */
export type StoreEffect = Exclude<Effect, { do: 'send' | 'acknowledge' }>

/** An effect that the store has performed, and its answer. The history is a list of these, in the store's order. */
export interface Entry {
  effect: StoreEffect
  answer: Answer
  /**
   * Whether money, goods or a state has moved. It has not where the effect was known already, or refused: an answer
   * alone does not tell these apart.
   */
  booked: boolean
  /** The process that asked. */
  by: string
  /** When it asked, by its own clock. That is for human readers: the true order is that of the list. */
  atMs: number
  /** When the store performed it, by the only clock that is never set wrong. */
  storeMs: number
}

/**
 * What the store has at one moment. Stock, accounts and states are what is really there: they follow from the history
 * only if the store does what it says.
 */
export interface Books {
  history: readonly Entry[]
  /** The number of each item. */
  stock: Readonly<Record<string, number>>
  /** What the client of each order has paid so far, in cents, by order id, and in `till` all of it. */
  accounts: Readonly<Record<string, number>>
  /** By order id. */
  states: Readonly<Record<string, State>>
}

/** The shop's own account. No order has this id. */
export const till = 'the till'

export class MemoryStore {
  readonly history: Entry[] = []
  readonly stock: Map<string, number>
  readonly #orders = new Map<string, { state: State; version: number }>()
  readonly #contents = new Map<string, string>()
  readonly #accounts = new Map<string, number>()
  readonly #charges = new Set<string>()
  readonly #tries = new Map<string, number>()
  readonly #taken = new Map<string, Answer>()
  /** Whether the effect that is being performed has moved something. */
  #isBooked = false

  constructor(stock: Readonly<Record<string, number>>) {
    this.stock = new Map(Object.entries(stock))
  }

  /** Performs an effect in one atomic step. */
  perform(effect: StoreEffect, by: string, atMs: number, storeMs = atMs): Answer {
    this.#isBooked = false
    const answer = this.#answer(effect)
    this.history.push({ effect, answer, booked: this.#isBooked, by, atMs, storeMs })
    return answer
  }

  stateOf(order: string): State | undefined {
    return this.#orders.get(order)?.state
  }

  books(): Books {
    const states: Record<string, State> = {}
    for (const [order, { state }] of this.#orders) states[order] = state
    const [stock, accounts] = [Object.fromEntries(this.stock), Object.fromEntries(this.#accounts)]
    return { history: this.history, stock, accounts, states }
  }

  #answer(effect: StoreEffect): Answer {
    switch (effect.do) {
      case 'create': {
        const known = this.#contents.get(effect.order)
        if (known !== undefined && known !== effect.content) return 'conflict'
        if (this.#orders.has(effect.order)) return 'known'
        this.#contents.set(effect.order, effect.content)
        this.#enter(effect.order, 'placed', effect.version)
        return 'created'
      }
      case 'charge': {
        if (this.#charges.has(effect.key)) return 'charged'
        const tries = 1 + (this.#tries.get(effect.order) ?? 0)
        if (tries > effect.mostTries) return 'given up'
        this.#tries.set(effect.order, tries)
        if (effect.card === 'refused') return 'unavailable'
        this.#charges.add(effect.key)
        this.#pay(effect.order, effect.cents)
        return 'charged'
      }
      case 'refund': {
        const key = `refund of ${effect.order}`
        if (!this.#charges.has(key)) this.#pay(effect.order, -effect.cents)
        this.#charges.add(key)
        return 'refunded'
      }
      case 'take': {
        const known = this.#taken.get(effect.order)
        if (known !== undefined) return known
        const left = (this.stock.get(effect.item) ?? 0) - effect.quantity
        const answer = left < 0 ? 'sold out' : 'taken'
        if (left >= 0) this.#leave(effect.item, left)
        this.#taken.set(effect.order, answer)
        return answer
      }
      case 'read stock':
        return this.stock.get(effect.item) ?? 0
      case 'write stock':
        this.#leave(effect.item, effect.left)
        return 'taken'
      case 'advance': {
        const known = this.#orders.get(effect.order)
        if (known && known.version >= effect.version) return 'stale'
        this.#enter(effect.order, effect.state, effect.version)
        return 'advanced'
      }
    }
  }

  // What moves something, and nothing else does

  #enter(order: string, state: State, version: number) {
    this.#orders.set(order, { state, version })
    this.#isBooked = true
  }

  #pay(order: string, cents: number) {
    for (const account of [order, till]) this.#accounts.set(account, (this.#accounts.get(account) ?? 0) + cents)
    this.#isBooked = true
  }

  #leave(item: string, left: number) {
    this.stock.set(item, left)
    this.#isBooked = true
  }
}

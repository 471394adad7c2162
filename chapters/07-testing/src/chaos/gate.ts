/** Holds the load back: orders pass up to one, and faults wait until so many have passed. */
import { EventEmitter, once } from 'node:events'

export class Gate {
  readonly #changes = new EventEmitter()
  /** How many orders there are, and how many have been sent. */
  readonly orders: number
  sent = 0
  /** The first order, by its index, that may not pass. */
  #stopsAt = 0

  constructor(orders: number) {
    this.orders = orders
  }

  /** How many may pass, sent or not. */
  get open(): number {
    return Math.min(this.#stopsAt + 1, this.orders)
  }

  /** Fulfilled when the order with this index may be sent. */
  async pass(at: number, signal: AbortSignal): Promise<void> {
    while (at > this.#stopsAt) await once(this.#changes, 'opened', { signal })
    this.sent = at + 1
    this.#changes.emit('sent')
  }

  /** Lets orders pass up to this index, and none that was let pass already is held back. */
  openTo(at: number): void {
    this.#stopsAt = Math.max(this.#stopsAt, at)
    this.#changes.emit('opened')
  }

  /** Fulfilled when the order with this index has been sent. */
  async reached(at: number, signal: AbortSignal): Promise<void> {
    while (this.sent <= at) await once(this.#changes, 'sent', { signal })
  }
}

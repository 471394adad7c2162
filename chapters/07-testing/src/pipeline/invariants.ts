/**
 * What must hold whatever happens, checked on the recorded history: `chaos` checks the real pipeline, `simulate` every
 * run.
 *
 * The judge shares nothing with what it judges but the names: it does not believe that a key is charged once, that an
 * answer is true, or that a state says what has happened. It keeps a ledger of money and goods for each order, compares
 * it with what the client ordered whenever a state says something, and at the end with what the bank and the
 * warehouse really have.
 */
import { type Books, type Entry, till } from './memory-store.ts'
import type { Order, State } from './orders.ts'

export const invariantNames = [
  /** An order that was accepted ends as shipped, sold out or failed, and in time. */
  'no order lost',
  /** A client who gets the goods pays their price once, and a client who gets none pays nothing. */
  'money balances',
  /** What is left is what there was minus what was shipped, and nothing is sold out while it is there. */
  'goods balance',
  /** An order is placed, then paid, then shipped or sold out; or it is placed and fails. */
  'states move forward',
  /** The bank is asked five times for an order that it does not accept, with longer and longer pauses. */
  'retries bounded',
] as const
export type Invariant = (typeof invariantNames)[number]

export interface Violation {
  invariant: Invariant
  /** Names the order or item, and what was seen. */
  detail: string
  /** The order's id, if it is about one. */
  order?: string
}

export interface Observed extends Books {
  /** What clients have ordered, whether or not they know that it was accepted. */
  orders: readonly Order[]
  /** The ids of the orders that were accepted, as far as the clients know; all of them by default. */
  accepted?: ReadonlySet<string>
  /** The ids under which another order was accepted later: nobody will ship that one. */
  mistaken?: readonly string[]
  /** The number of each item at first. */
  stockBefore: Readonly<Record<string, number>>
  /** Whether the run was stopped while something was still under way: then no order is lost yet. */
  unfinished?: boolean
  /** How long an order may take from its creation to its end, if there is a bound. */
  endsWithinMs?: number
  /** The jobs that are not done although nothing is under way any more. */
  openJobs?: readonly string[]
  /** How long each delivery of an order's job told the queue to wait before the next one, in order. */
  pauses?: readonly { order: string; delivery: number; ms: number }[]
}

/** How often the bank is asked for an order that it does not accept. */
export const mostRefusals = 5
/** From here on, a pause need not be longer than the one before. */
const longestPauseMs = 640

/** Which states may follow a state; none follows the last ones. */
const next: Record<State, readonly State[]> = {
  placed: ['paid', 'failed'],
  paid: ['shipped', 'sold out'],
  shipped: [],
  'sold out': [],
  failed: [],
}

const isLast = (state: State) => next[state].length === 0

/** What an order has moved so far. */
interface Ledger {
  order: Order
  state: State | undefined
  createdMs: number
  endedMs: number
  /** What was charged minus what was refunded, in cents. */
  paid: number
  charges: number
  refunds: number
  /** What was taken from stock. */
  taken: number
  takings: number
  refusals: number
}

/** Returns the ids of the orders for which the bank was asked more often than allowed: perhaps it is asked for ever. */
export function triedTooOften(history: readonly Entry[]): Set<string> {
  const refusals = new Map<string, number>()
  for (const { effect, answer } of history)
    if (answer === 'unavailable') refusals.set(effect.order, 1 + (refusals.get(effect.order) ?? 0))
  return new Set([...refusals].flatMap(([id, times]) => (times > mostRefusals ? [id] : [])))
}

/** Returns the violations, in the order of the invariants. Of one order, each invariant is reported once. */
export function check(observed: Observed): Violation[] {
  const judge = new Judge(observed)
  judge.follow(observed.history)
  judge.close(observed)
  return judge.verdict()
}

class Judge {
  readonly #violations = new Map<string, Violation>()
  readonly #ledgers = new Map<string, Ledger>()
  /** The number of each item that is left by the ledgers. */
  readonly #left = new Map<string, number>()

  constructor({ orders, stockBefore }: Observed) {
    for (const order of orders) this.#ledgers.set(order.id, ledgerOf(order))
    for (const [item, count] of Object.entries(stockBefore)) this.#left.set(item, count)
  }

  /** Keeps the ledgers, and looks at them whenever a state says something. */
  follow(history: readonly Entry[]): void {
    for (const { effect, answer, booked, storeMs } of history) {
      const id = effect.order
      const ledger = this.#ledgers.get(id)
      if (!ledger) {
        this.#violated('states move forward', `${id} is in the history, and nobody has ordered it`, id)
        continue
      }
      const { card, item } = ledger.order
      switch (effect.do) {
        case 'create':
        case 'advance':
          if (booked) this.#enter(ledger, effect.do === 'create' ? 'placed' : effect.state, storeMs)
          break
        case 'charge':
          if (answer === 'unavailable') {
            ledger.refusals++
            if (card === 'good') this.#violated('retries bounded', `${id} has a good card, and the bank refused it`, id)
          }
          if (!booked) break
          ledger.charges++
          ledger.paid += effect.cents
          if (card === 'refused') this.#violated('money balances', `${id} has a refused card, and was charged`, id)
          break
        case 'refund':
          if (!booked) break
          ledger.refunds++
          ledger.paid -= effect.cents
          if (ledger.paid >= 0) break
          this.#violated('money balances', `${id} was refunded ${-ledger.paid} cents more than it had paid`, id)
          break
        case 'take':
        case 'write stock':
          if (answer === 'sold out') this.#mustBeSoldOut(ledger)
          if (!booked) break
          this.#left.set(effect.item, (this.#left.get(effect.item) ?? 0) - effect.quantity)
          ledger.takings++
          if (effect.item === item) ledger.taken += effect.quantity
          else this.#violated('goods balance', `${id} ordered a ${item}, and a ${effect.item} was taken`, id)
          break
      }
    }
  }

  /** The state of an order changes, and what it says must be true from now on. */
  #enter(ledger: Ledger, state: State, storeMs: number) {
    const { id } = ledger.order
    const before = ledger.state
    const isNext = before === undefined ? state === 'placed' : next[before].includes(state)
    if (!isNext) this.#violated('states move forward', `${id} was ${before ?? 'unknown'}, and then ${state}`, id)
    ledger.state = state
    if (state === 'placed') ledger.createdMs = storeMs
    else if (isLast(state)) ledger.endedMs = storeMs
    this.#balance(ledger)
    if (state === 'sold out') this.#mustBeSoldOut(ledger)
  }

  /** Compares what an order has moved with what its state says. */
  #balance({ order, state, paid, charges, refunds, taken, takings, refusals }: Ledger) {
    const { id, cents, quantity, item } = order
    const money = (what: string) => this.#violated('money balances', `${id} ${what}`, id)
    const goods = (what: string) => this.#violated('goods balance', `${id} ${what}`, id)
    if (charges > 1) money(`was charged ${charges} times`)
    if (refunds > 1) money(`was refunded ${refunds} times`)
    if (takings > 1) goods(`took its goods from stock ${takings} times`)
    if (refusals > mostRefusals) this.#violated('retries bounded', `the bank was asked ${refusals} times for ${id}`, id)
    if (state === undefined || state === 'placed') return
    const price = state === 'paid' || state === 'shipped' ? cents : 0
    if (paid !== price) money(`is ${state}, and has paid ${paid} cents instead of ${price}`)
    if (!isLast(state)) return
    const due = state === 'shipped' ? quantity : 0
    if (taken !== due) goods(`is ${state}, and took ${taken} ${item} from stock instead of ${due}`)
    if (state === 'failed' && refusals < mostRefusals)
      this.#violated('retries bounded', `${id} failed, and the bank was asked only ${refusals} times`, id)
  }

  /** Nothing is ever added to the stock: what is there now was also there whenever somebody looked before. */
  #mustBeSoldOut({ order: { id, item, quantity } }: Ledger) {
    const left = this.#left.get(item) ?? 0
    if (left < quantity) return
    this.#violated('goods balance', `${id} wants ${quantity} ${item}, and is "sold out" with ${left} left`, id)
  }

  /** At the end, compares the ledgers with what is really there, and looks for what has not ended. */
  close({ accounts, states, stock, stockBefore, ...observed }: Observed): void {
    const {
      accepted,
      mistaken = [],
      unfinished = false,
      endsWithinMs = Infinity,
      openJobs = [],
      pauses = [],
    } = observed
    let paidInAll = 0
    for (const ledger of this.#ledgers.values()) {
      const { order, state, paid, takings, createdMs, endedMs } = ledger
      const { id } = order
      this.#balance(ledger)
      paidInAll += paid
      const has = accounts[id] ?? 0
      if (has !== paid)
        this.#violated('money balances', `the bank has ${has} cents of ${id}, and has booked ${paid}`, id)
      if (states[id] !== state) {
        const detail = `${id} is "${states[id] ?? 'unknown'}", and was last said to be "${state ?? 'unknown'}"`
        this.#violated('states move forward', detail, id)
      }
      if (unfinished) continue
      const lost = (what: string) => this.#violated('no order lost', `${id} ${what}`, id)
      const goods = takings > 0 ? ', though its goods were taken from stock' : ''
      if (accepted && !accepted.has(id)) lost('was never accepted')
      else if (state === undefined || !isLast(state))
        lost(`was accepted, and is "${state ?? 'unknown'}" for ever${goods}`)
      else if (endedMs - createdMs > endsWithinMs)
        lost(`ended after ${endedMs - createdMs} ms, later than ${endsWithinMs}`)
    }
    const inTill = accounts[till] ?? 0
    if (inTill !== paidInAll)
      this.#violated('money balances', `the till has ${inTill} cents, and clients have paid ${paidInAll}`)
    for (const item of new Set([...Object.keys(stockBefore), ...Object.keys(stock)])) {
      const before = stockBefore[item] ?? 0
      const sold = before - (this.#left.get(item) ?? 0)
      const left = stock[item] ?? 0
      if (left !== before - sold || left < 0)
        this.#violated('goods balance', `${item}: ${before} at first, ${sold} sold, and ${left} left`)
    }
    for (const id of mistaken) this.#violated('no order lost', `another order was accepted under the id of ${id}`, id)
    for (const job of openJobs) if (!unfinished) this.#violated('no order lost', `${job} is never done`)
    this.#comparePauses(pauses)
  }

  /** The more deliveries, the longer the pauses. */
  #comparePauses(pauses: NonNullable<Observed['pauses']>) {
    const last = new Map<string, { delivery: number; ms: number }>()
    for (const { order, delivery, ms } of pauses) {
      const before = last.get(order)
      const least = before && delivery > before.delivery ? Math.min(before.ms + 1, longestPauseMs) : 1
      if (!(ms >= least))
        this.#violated('retries bounded', `${order} is tried again after ${ms} ms instead of ${least} or more`, order)
      last.set(order, { delivery, ms })
    }
  }

  #violated(invariant: Invariant, detail: string, order?: string) {
    const key = `${invariant} ${order ?? detail}`
    if (this.#violations.has(key)) return
    this.#violations.set(key, { invariant, detail, ...(order !== undefined && { order }) })
  }

  verdict(): Violation[] {
    const rank = ({ invariant }: Violation) => invariantNames.indexOf(invariant)
    return [...this.#violations.values()].sort((a, b) => rank(a) - rank(b))
  }
}

const ledgerOf = (order: Order): Ledger => ({
  order,
  state: undefined,
  createdMs: 0,
  endedMs: 0,
  paid: 0,
  charges: 0,
  refunds: 0,
  taken: 0,
  takings: 0,
  refusals: 0,
})

/**
 * The order pipeline's logic, and nothing else: the steps of an order. No clock, no network, no Redis.
 *
 * A handler is a generator. It yields an effect, is handed the answer, and continues. The caller decides what performs
 * an effect: Redis in the real processes (redis-store.ts), the simulator, a map in a test. So the same code runs
 * everywhere. The caller may also stop between any two effects and never continue, as a killed process does.
 *
 * Every effect may be performed twice but must count once, because a job is delivered at least once, and a request is
 * sent again when its reply is lost. Two things ensure that: what is done for an order has the order's id as its key,
 * and states only move forward.
 */
import { z } from 'zod'

/** The message between the front and the workers: what the producer sends and the consumer accepts. */
export const orderSchema = z.object({
  id: z.string().regex(/^[A-Za-z][\w-]{0,63}$/, 'a letter, then up to 63 letters, digits, - and _'),
  item: z.string().regex(/^[a-z]{1,32}$/, '1 to 32 small letters'),
  quantity: z.int().min(1).max(100),
  cents: z.int().min(1).max(10_000_000),
  /** `refused`: the simulated bank never accepts it, and answers "try again later". */
  card: z.enum(['good', 'refused']),
  /** The same id in the logs and traces of all processes. */
  correlation: z.string().max(64).optional(),
})

export type Order = z.infer<typeof orderSchema>

export const stages = ['payment', 'shipping'] as const
/** A kind of worker, and the queue from which it takes its jobs. */
export type Stage = (typeof stages)[number]

/** The states of an order. A larger number is later. */
export const states = { placed: 1, paid: 2, shipped: 3, 'sold out': 3, failed: 3 } as const
export type State = keyof typeof states
export const isFinal = (state: State | undefined): boolean => state !== undefined && states[state] === 3

/** The five bugs that can be switched on. */
export const bugs = {
  'lost-update': 'stock is read, reduced and written back: of two at once, one is forgotten',
  'double-charge': 'the key of a charge is made for each delivery of the job, and not for the order',
  'early-ack': 'a job is acknowledged before its work, and not after it',
  'clock-order': 'of two states the one with the later wall-clock time wins, and not the one that comes later',
  'unbounded-retry': 'a charge that fails is tried again at once, and for ever',
} as const
export type Bug = keyof typeof bugs
export const bugNames = Object.keys(bugs) as Bug[]

/** What a handler asks for. Each is one atomic step where it is performed. */
export type Effect =
  /** Answers `created`, `known`, or `conflict` when the id is known with other content. */
  | { do: 'create'; order: string; content: string; version: number }
  /** Once for each key. Answers `charged`, `unavailable`, or `given up` after `mostTries` tries. */
  | { do: 'charge'; key: string; order: string; cents: number; card: Order['card']; mostTries: number }
  /** Once for each order. Answers `refunded`. */
  | { do: 'refund'; order: string; cents: number }
  /** Once for each order. Answers `taken` or `sold out`. */
  | { do: 'take'; order: string; item: string; quantity: number }
  /** Answers with the number of items. Only a planted bug asks. */
  | { do: 'read stock'; order: string; item: string }
  /** Answers `taken`. Only a planted bug asks. */
  | { do: 'write stock'; order: string; item: string; quantity: number; left: number }
  /** Answers `advanced`, or `stale` when the order's state has the same or a later version. */
  | { do: 'advance'; order: string; state: State; version: number }
  /** Puts the order into the queue of a stage, once. Answers `sent`. */
  | { do: 'send'; to: Stage; order: Order }
  /** The job is done, even if its worker dies now. Only a planted bug asks; normally the handler's end says so. */
  | { do: 'acknowledge' }

export type Answer = string | number

/** The job is done, or must be delivered again after a while. */
export type Outcome = { done: true } | { done: false; retryAfterMs: number }

export type Handler = Generator<Effect, Outcome, Answer>

export interface Context {
  bug?: Bug | undefined
  /** The wall clock of the process, in ms; it may be wrong. */
  now: () => number
  /** The number of this delivery of the job, from 1. */
  delivery: number
}

const done: Outcome = { done: true }
const mostTries = 5
const backoffMs = (delivery: number) => 20 * 2 ** Math.min(delivery - 1, 5)

/** Of two states of an order, the one with the larger version wins. */
const versionOf = (state: State, { bug, now }: Context) => (bug === 'clock-order' ? now() : states[state])

/** What was ordered, as text. A repeat of the same order may have another correlation id. */
const contentOf = ({ item, quantity, cents, card }: Order) => JSON.stringify({ item, quantity, cents, card })

/** The front's part. Once it has ended, the order is accepted, and the client may be told. */
export function* accept(order: Order, context: Context): Handler {
  const version = versionOf('placed', context)
  const answer = yield { do: 'create', order: order.id, content: contentOf(order), version }
  // The first order with this id counts.
  if (answer === 'conflict') return done
  // A known order is sent, too: a front may have ended between these two steps.
  yield { do: 'send', to: 'payment', order }
  return done
}

export function* pay(order: Order, context: Context): Handler {
  const { bug, delivery } = context
  const answer = yield {
    do: 'charge',
    key: bug === 'double-charge' ? `${order.id} ${delivery}` : order.id,
    order: order.id,
    cents: order.cents,
    card: order.card,
    mostTries: bug === 'unbounded-retry' ? Number.MAX_SAFE_INTEGER : mostTries,
  }
  if (answer === 'unavailable') {
    return { done: false, retryAfterMs: bug === 'unbounded-retry' ? 0 : backoffMs(delivery) }
  }
  const state = answer === 'charged' ? 'paid' : 'failed'
  yield { do: 'advance', order: order.id, state, version: versionOf(state, context) }
  if (state === 'paid') yield { do: 'send', to: 'shipping', order }
  return done
}

// #region ship
export function* ship(order: Order, context: Context): Handler {
  const { id, item, quantity } = order
  if (context.bug === 'early-ack') yield { do: 'acknowledge' }
  const answer =
    context.bug === 'lost-update' ? yield* takeCarelessly(order) : yield { do: 'take', order: id, item, quantity }
  if (answer === 'sold out') yield { do: 'refund', order: id, cents: order.cents }
  const state = answer === 'taken' ? 'shipped' : 'sold out'
  yield { do: 'advance', order: id, state, version: versionOf(state, context) }
  return done
}
// #endregion ship

function* takeCarelessly({ id, item, quantity }: Order): Generator<Effect, Answer, Answer> {
  const left = Number(yield { do: 'read stock', order: id, item }) - quantity
  return left < 0 ? 'sold out' : yield { do: 'write stock', order: id, item, quantity, left }
}

export const handlers: Record<Stage, (order: Order, context: Context) => Handler> = { payment: pay, shipping: ship }

// #region run
/** Runs a handler to its end, with `perform` performing its effects. */
export async function run(handler: Handler, perform: (effect: Effect) => Answer | Promise<Answer>): Promise<Outcome> {
  let step = handler.next()
  while (!step.done) step = handler.next(await perform(step.value))
  return step.value
}
// #endregion run

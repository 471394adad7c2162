/**
 * Ways to move money between two stores that share no transaction, as handlers that yield effects. The same source runs
 * in the simulator (simulated.ts) and as processes on PostgreSQL and BullMQ (node.program.ts).
 */
import { isDeepStrictEqual } from 'node:util'
import type { Effect, Handler } from '@repo/simulator/simulator'
import { opening } from './reader.ts'

/** The service moves money between the stores A and B. A relay, a queue and a receiver carry messages. */
export const nodes = ['service', 'relay', 'receiver', 'queue', 'A', 'B'] as const
export type Node = (typeof nodes)[number]

/** Moves money from an account in A to one in B. */
export interface Transfer {
  id: string
  from: string
  to: string
  amount: number
}

/** A change of one account, in a local transaction of its store. What would leave less than nothing is refused. */
export interface Booking {
  at: 'A' | 'B'
  transfer: string
  account: string
  /** Negative to debit. */
  amount: number
  /** The store books once by key, and then repeats its answer. Without one, it books each time it is asked. */
  key?: string
  /** What the same local transaction puts into the store's outbox, if it books and if it refuses. */
  onDone?: Booking
  onRefused?: Booking
}

export type Answer = 'done' | 'refused'
export type Message =
  | Answer
  /** Asks for the first message of an outbox or a queue. There may be none. */
  | 'first'
  | 'nothing'
  | { do: 'book' | 'prepare' | 'commit' | 'abort' | 'add' | 'message' | 'remove'; booking: Booking }

export type Task<Result = void> = Handler<Node, Message, Result>

/** What the service's log has of a transfer. */
interface Logged {
  transfer: Transfer
  decision?: 'commit'
  answer?: Answer
}

const ask = (to: Node, message: Message): Effect<Node, Message> => ({ do: 'ask', to, message, againMs: 60 })
const send = (booking: Booking) => ask('queue', { do: 'add', booking })
const log = (logged: Logged): Effect<Node, Message> => ({ do: 'save', key: logged.transfer.id, value: logged })

/** Tells a store what to do with a booking, until it answers. */
export function* tell(what: 'book' | 'prepare' | 'commit' | 'abort', booking: Booking): Task<Answer> {
  return (yield ask(booking.at, { do: what, booking })) as Answer
}

/** The bookings of a transfer: the money leaves A, arrives in B, or comes back to A. */
function bookingsOf({ id, from, to, amount }: Transfer) {
  return {
    debit: { at: 'A', transfer: id, key: `${id} debit`, account: from, amount: -amount },
    credit: { at: 'B', transfer: id, key: `${id} credit`, account: to, amount },
    back: { at: 'A', transfer: id, key: `${id} back`, account: from, amount },
  } satisfies Record<string, Booking>
}

const withoutKey = ({ key: _, ...booking }: Booking): Booking => booking

/** Each returns the answer to the client. After a crash, those with a log run again with what it has. */
export const ways = {
  // #region naive
  *'commit-then-send'(transfer: Transfer): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    const answer = yield* tell('book', withoutKey(debit))
    if (answer === 'done') yield send(withoutKey(credit))
    return answer
  },

  *'send-then-commit'(transfer: Transfer): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    yield send(withoutKey(credit))
    return yield* tell('book', withoutKey(debit))
  },
  // #endregion naive

  // #region two-phase
  *'2pc'(transfer: Transfer, logged?: Logged): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    // A log without a decision was cut off before there was one.
    let decision: 'commit' | 'abort' | undefined = logged && (logged.decision ?? 'abort')
    if (!decision) {
      yield log({ transfer })
      const isReady = (yield* tell('prepare', debit)) === 'done' && (yield* tell('prepare', credit)) === 'done'
      decision = isReady ? 'commit' : 'abort'
      if (decision === 'commit') yield log({ transfer, decision })
    }
    yield* tell(decision, debit)
    yield* tell(decision, credit)
    const answer = decision === 'commit' ? 'done' : 'refused'
    yield log({ transfer, answer })
    return answer
  },
  // #endregion two-phase

  // #region saga
  *saga(transfer: Transfer): Task<Answer> {
    const { debit, credit, back } = bookingsOf(transfer)
    yield log({ transfer })
    let answer = yield* tell('book', debit)
    if (answer === 'done') {
      answer = yield* tell('book', credit)
      if (answer === 'refused') yield* tell('book', back)
    }
    yield log({ transfer, answer })
    return answer
  },
  // #endregion saga

  // #region outbox
  *outbox(transfer: Transfer): Task<Answer> {
    const { debit, credit, back } = bookingsOf(transfer)
    return yield* tell('book', { ...debit, onDone: { ...credit, onRefused: back } })
  },
  // #endregion outbox
}

export type Way = keyof typeof ways
export const wayNames = Object.keys(ways) as Way[]

/** Whether nobody carries on with what a crash has cut off. */
export const isNaive = (way: Way): boolean => way === 'commit-then-send' || way === 'send-then-commit'

export type Role = 'service' | 'relay' | 'receiver'

/** What each process does during a transfer that goes well, effect by effect. */
export const effectsOf: Record<Way, Partial<Record<Role, string[]>>> = {
  'commit-then-send': { service: ['debit', 'send'], receiver: ['credit'] },
  'send-then-commit': { service: ['send', 'debit'], receiver: ['credit'] },
  '2pc': {
    service: ['log the start', 'prepare A', 'prepare B', 'log the decision', 'commit A', 'commit B', 'log the end'],
  },
  saga: { service: ['log the start', 'debit', 'credit', 'log the end'] },
  outbox: { service: ['debit'], relay: ['find', 'send', 'mark as sent'], receiver: ['credit'] },
}
export const rolesOf = (way: Way) => Object.keys(effectsOf[way]) as Role[]

/** Starts the service with its log, in which it may find transfers to carry on with. Returns what takes orders. */
export function startService(
  way: Way,
  disk: ReadonlyMap<string, unknown>,
  run: (task: Task) => void,
  onAnswer: (answer: Answer, transfer: Transfer) => void,
): (transfer: Transfer) => void {
  /** The answers, or undefined while a transfer is being carried out. */
  const answers = new Map<string, Answer | undefined>()
  function* carryOut(transfer: Transfer, logged?: Logged): Task {
    answers.set(transfer.id, undefined)
    const answer = logged?.answer ?? (yield* ways[way](transfer, logged))
    answers.set(transfer.id, answer)
    onAnswer(answer, transfer)
  }
  for (const logged of disk.values() as Iterable<Logged>) run(carryOut(logged.transfer, logged))
  return (transfer) => {
    const answer = answers.get(transfer.id)
    if (answer) onAnswer(answer, transfer)
    else if (!answers.has(transfer.id)) run(carryOut(transfer))
  }
}

// #region pass-on
/** Takes messages out of an outbox or a queue. A message is passed on again if this dies before it is removed. */
function* passOn(source: Node, onward: (booking: Booking) => Effect<Node, Message>): Task {
  for (;;) {
    const message = yield ask(source, 'first')
    if (typeof message === 'object' && message.do === 'message') {
      yield onward(message.booking)
      yield ask(source, { ...message, do: 'remove' })
    } else yield { do: 'wait', ms: 20 }
  }
}

/** What runs on the nodes that carry messages. */
export const carriers = {
  relay: () => [passOn('A', send), passOn('B', send)],
  receiver: () => [passOn('queue', (booking) => ask(booking.at, { do: 'book', booking }))],
}
// #endregion pass-on

export type Fate = 'lost' | 'doubled' | 'wrong amount'

/** Judges a transfer by what A and B have booked, when everything has been repaired. */
export function fateOf({ id, amount }: Transfer, A: Booked[], B: Booked[]) {
  const times = (bookings: Booked[]) =>
    bookings.reduce((sum, each) => (each.transfer === id ? sum + each.amount : sum), 0) / amount
  const [debited, credited] = [-times(A), times(B)]
  const judge = (): Fate | undefined => {
    if (debited > credited) return 'lost'
    if (credited > debited || credited > 1) return 'doubled'
    return credited === 0 || credited === 1 ? undefined : 'wrong amount'
  }
  return { debited, credited, fate: judge() }
}
type Booked = Pick<Booking, 'transfer' | 'amount'>

/** What a store has in the end. */
export interface Books {
  accounts: Readonly<Record<string, number>>
  bookings: Booked[]
}

/** Whether the accounts have what these transfers have moved, and nothing else: a store may book and move nothing. */
export function isBalanced(transfers: readonly Transfer[], A: Books, B: Books): boolean {
  let [anna, ben] = [opening, 0]
  for (const transfer of transfers) {
    const { debited, credited } = fateOf(transfer, A.bookings, B.bookings)
    anna -= debited * transfer.amount
    if (transfer.to === 'ben') ben += credited * transfer.amount
  }
  return anna >= 0 && isDeepStrictEqual([{ ...A.accounts }, { ...B.accounts }], [{ anna }, { ben }])
}

/**
 * Ways to move money between two stores that share no transaction, as handlers that yield effects. The same source runs
 * in the simulator (simulated.ts) and as processes on PostgreSQL and BullMQ (node.program.ts).
 */
import type { Effect, Handler, Receive, World } from '@repo/simulator/simulator'

/** The two stores, the service that moves money between them, and what carries messages. */
export const nodes = ['service', 'relay', 'receiver', 'queue', 'A', 'B', 'client'] as const
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
  do: 'book'
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
  | 'nothing'
  | Booking
  | { do: 'transfer'; transfer: Transfer }
  | { do: 'prepare' | 'add'; booking: Booking }
  | { do: 'commit' | 'abort'; key: string }
  /** Asks for the first message of an outbox or a queue, is told it, and removes it. */
  | { do: 'first' }
  | { do: 'message'; number: number; booking: Booking }
  | { do: 'remove'; number: number }

type Task<Result = void> = Handler<Node, Message, Result>

/** What the service's log has of a transfer. */
interface Logged {
  transfer: Transfer
  decision?: 'commit'
  answer?: Answer
}

const ask = (to: Node, message: Message, againMs = 60): Effect<Node, Message> => ({ do: 'ask', to, message, againMs })
/** In ms: never asked again. */
const once = 1e9
const log = (logged: Logged): Effect<Node, Message> => ({ do: 'save', key: logged.transfer.id, value: logged })

/** The bookings of a transfer: the money leaves A, arrives in B, or comes back to A. */
function bookingsOf({ id, from, to, amount }: Transfer) {
  const booking = { do: 'book', transfer: id } as const
  return {
    debit: { ...booking, at: 'A', key: `${id} debit`, account: from, amount: -amount },
    credit: { ...booking, at: 'B', key: `${id} credit`, account: to, amount },
    back: { ...booking, at: 'A', key: `${id} back`, account: from, amount },
  } satisfies Record<string, Booking>
}

const withoutKey = ({ key: _, ...booking }: Booking): Booking => booking

/** Each returns the answer to the client. After a crash, those with a log run again with what it has. */
export const ways = {
  // #region naive
  *'commit-then-send'(transfer: Transfer): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    const answer = yield ask('A', withoutKey(debit), once)
    if (answer === 'done') yield ask('queue', { do: 'add', booking: withoutKey(credit) }, once)
    return answer as Answer
  },

  *'send-then-commit'(transfer: Transfer): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    yield ask('queue', { do: 'add', booking: withoutKey(credit) }, once)
    return (yield ask('A', withoutKey(debit), once)) as Answer
  },
  // #endregion naive

  // #region two-phase
  *'2pc'(transfer: Transfer, logged?: Logged): Task<Answer> {
    const { debit, credit } = bookingsOf(transfer)
    // Whoever finds no decision in the log was cut off before there was one, and aborts.
    let decision: 'commit' | 'abort' | undefined = logged && (logged.decision ?? 'abort')
    if (!decision) {
      yield log({ transfer })
      const isReady =
        (yield ask('A', { do: 'prepare', booking: debit })) === 'done' &&
        (yield ask('B', { do: 'prepare', booking: credit })) === 'done'
      decision = isReady ? 'commit' : 'abort'
      if (decision === 'commit') yield log({ transfer, decision })
    }
    yield ask('A', { do: decision, key: debit.key })
    yield ask('B', { do: decision, key: credit.key })
    const answer = decision === 'commit' ? 'done' : 'refused'
    yield log({ transfer, answer })
    return answer
  },
  // #endregion two-phase

  // #region saga
  *saga(transfer: Transfer): Task<Answer> {
    const { debit, credit, back } = bookingsOf(transfer)
    yield log({ transfer })
    let answer = (yield ask('A', debit)) as Answer
    if (answer === 'done') {
      answer = (yield ask('B', credit)) as Answer
      if (answer === 'refused') yield ask('A', back)
    }
    yield log({ transfer, answer })
    return answer
  },
  // #endregion saga

  // #region outbox
  *outbox(transfer: Transfer): Task<Answer> {
    const { debit, credit, back } = bookingsOf(transfer)
    return (yield ask('A', { ...debit, onDone: { ...credit, onRefused: back } })) as Answer
  },
  // #endregion outbox
}

export type Way = keyof typeof ways
export const wayNames = Object.keys(ways) as Way[]

/** Whether nobody carries on with what a crash has cut off. */
export const isNaive = (way: Way): boolean => way === 'commit-then-send' || way === 'send-then-commit'

export type Role = 'service' | 'relay' | 'receiver'

/** Which processes take part in a way. */
export function rolesOf(way: Way): Role[] {
  if (isNaive(way)) return ['service', 'receiver']
  return way === 'outbox' ? ['service', 'relay', 'receiver'] : ['service']
}

/** Starts the service with its log, in which it may find transfers to carry on with. */
export function startService(
  world: Pick<World<Node, Message>, 'run'>,
  disk: ReadonlyMap<string, unknown>,
  way: Way,
): Receive<Node, Message> {
  /** The answers, or undefined while a transfer is being carried out. */
  const answers = new Map<string, Answer | undefined>()
  function* carryOut(transfer: Transfer, logged?: Logged): Task<Answer> {
    answers.set(transfer.id, undefined)
    const answer = yield* ways[way](transfer, logged)
    answers.set(transfer.id, answer)
    return answer
  }
  function* carryOn(logged: Logged): Task {
    yield* carryOut(logged.transfer, logged)
  }
  for (const logged of disk.values() as Iterable<Logged>) {
    if (logged.answer) answers.set(logged.transfer.id, logged.answer)
    else world.run('service', carryOn(logged))
  }
  return (message) => {
    if (typeof message === 'string' || message.do !== 'transfer') return undefined
    const { transfer } = message
    return answers.has(transfer.id) ? answers.get(transfer.id) : carryOut(transfer)
  }
}

// #region pass-on
/** Takes messages out of outboxes or a queue. A message is passed on again if this dies before it is removed. */
function* passOn(sources: Node[], onward: (booking: Booking) => Effect<Node, Message>): Task {
  for (;;) {
    let isIdle = true
    for (const source of sources) {
      const message = yield ask(source, { do: 'first' })
      if (typeof message === 'string' || message.do !== 'message') continue
      yield onward(message.booking)
      yield ask(source, { do: 'remove', number: message.number })
      isIdle = false
    }
    if (isIdle) yield { do: 'wait', ms: 20 }
  }
}

export const relay = (): Task => passOn(['A', 'B'], (booking) => ask('queue', { do: 'add', booking }))
export const receiver = (): Task => passOn(['queue'], (booking) => ask(booking.at, booking))
// #endregion pass-on

/**
 * Judges a transfer when everything has been repaired.
 *
 * @param debited how often its amount has left A and not come back
 * @param credited how often it has arrived in B
 */
export function fateOf(debited: number, credited: number): 'lost' | 'doubled' | undefined {
  if (debited > credited) return 'lost'
  return credited > debited || credited > 1 ? 'doubled' : undefined
}

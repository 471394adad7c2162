/** A store for the simulator, which does what PostgreSQL does for postgres.ts. It also serves as the queue. */
import type { Handler, Receive } from '@repo/simulator/simulator'
import type { Answer, Booking, Message, Node } from './ways.ts'

/** What a store has on its disk. */
export interface State {
  balances: Map<string, number>
  /** What was booked for each transfer. */
  booked: Map<string, number>
  /** The inbox: what was answered, by key. */
  answers: Map<string, Answer>
  outbox: { number: number; booking: Booking }[]
  /** The number of the last message that was put into the outbox. */
  number: number
  /** Bookings that are prepared. Their accounts are locked, and readers see the old balance. */
  prepared: Booking[]
}

export const emptyState = (balances: Iterable<[string, number]> = []): State => ({
  balances: new Map(balances),
  booked: new Map(),
  answers: new Map(),
  outbox: [],
  number: 0,
  prepared: [],
})

/**
 * Starts a store.
 *
 * @param saved what its disk has
 * @param onSaved called with a copy when its disk has a newer state, which readers can see from then on
 */
export function startStore(saved: State, onSaved: (state: State) => void): Receive<Node, Message> {
  const state = structuredClone(saved)
  const { balances, booked, answers } = state

  const canBook = ({ account, amount }: Booking) => (balances.get(account) ?? Number.NEGATIVE_INFINITY) + amount >= 0

  /** Whether a message has to wait for what others have prepared. What is refused needs no lock. */
  function isLocked(message: Message): boolean {
    if (typeof message === 'string' || (message.do !== 'book' && message.do !== 'prepare')) return false
    const booking = message.do === 'book' ? message : message.booking
    const { account, key = '' } = booking
    return state.prepared.some((other) => {
      const isOwn = message.do === 'prepare' && other.key === key
      const isShared = other.key === key || (other.account === account && canBook(booking))
      return isShared && !isOwn && !answers.has(key)
    })
  }

  const put = (booking: Booking) => void state.outbox.push({ number: ++state.number, booking })

  function book(booking: Booking): Answer {
    const { transfer, account, amount, key = '', onDone, onRefused } = booking
    const known = answers.get(key)
    if (known) return known
    const answer = canBook(booking) ? 'done' : 'refused'
    if (answer === 'done') {
      balances.set(account, (balances.get(account) ?? 0) + amount)
      booked.set(transfer, (booked.get(transfer) ?? 0) + amount)
    }
    if (key) answers.set(key, answer)
    const message = answer === 'done' ? onDone : onRefused
    if (message) put(message)
    return answer
  }

  /** A local transaction: all of it happens, or nothing. */
  function transact(message: Message): Answer {
    if (typeof message === 'string') return 'refused'
    switch (message.do) {
      case 'book':
        return book(message)
      case 'prepare': {
        const { booking } = message
        const known = answers.get(booking.key ?? '')
        if (known || state.prepared.some(({ key }) => key === booking.key)) return known ?? 'done'
        if (!canBook(booking)) return 'refused'
        state.prepared.push(booking)
        return 'done'
      }
      case 'commit':
      case 'abort': {
        const booking = state.prepared.find(({ key }) => key === message.key)
        state.prepared = state.prepared.filter((each) => each !== booking)
        if (message.do === 'commit' && booking) book(booking)
        else if (message.do === 'abort' && !answers.has(message.key)) answers.set(message.key, 'refused')
        return 'done'
      }
      case 'add':
        put(message.booking)
        return 'done'
      case 'remove':
        state.outbox = state.outbox.filter(({ number }) => number !== message.number)
        return 'done'
      default:
        return 'refused'
    }
  }

  /** What readers can see: not what the disk does not have yet. */
  let [first] = state.outbox

  function* answer(message: Message): Handler<Node, Message, Message> {
    const isFree = () => !isLocked(message)
    while (!isFree()) yield { do: 'wait', ms: 1e9, until: isFree }
    const answer = transact(message)
    const copy = structuredClone(state)
    yield { do: 'save', key: 'state', value: copy }
    first = copy.outbox[0]
    onSaved(copy)
    return answer
  }

  return (message) => {
    if (typeof message === 'string' || message.do !== 'first') return answer(message)
    return first ? { do: 'message', ...first } : 'nothing'
  }
}

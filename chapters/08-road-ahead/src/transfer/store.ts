/** A store for the simulator, which does what PostgreSQL does for postgres.ts. It also serves as the queue. */
import { isDeepStrictEqual } from 'node:util'
import type { Answer, Booking, Message } from './ways.ts'

/** What a store has: the tables of PostgreSQL. A transaction is on its disk as soon as it is done. */
export interface State {
  accounts: Record<string, number>
  /** An amount of 0 says that a key was refused: it is the inbox as well. */
  bookings: Pick<Booking, 'transfer' | 'amount' | 'key'>[]
  outbox: Booking[]
  /** Their accounts are locked, and readers see the old balance. */
  prepared: Booking[]
}

/** Answers a message by a local transaction; undefined if that has to wait for what others have prepared. */
export function transact(state: State, message: Message): Message | undefined {
  const { accounts, bookings, outbox, prepared } = state
  if (message === 'first') return outbox[0] ? { do: 'message', booking: outbox[0] } : 'nothing'
  if (typeof message === 'string') return undefined
  const { do: what, booking } = message
  const { key, account, amount } = booking
  const hasKey = (other: { key?: string }) => key !== undefined && other.key === key
  const [own, known] = [prepared.find(hasKey), bookings.find(hasKey)]
  if (what === 'book' || what === 'prepare') {
    if (known) return known.amount === 0 ? 'refused' : 'done'
    if (own && what === 'prepare') return 'done'
    const isEnough = accounts[account] + amount >= 0
    // What is refused needs no lock.
    if (own || (isEnough && prepared.some((other) => other.account === account))) return undefined
    if (what === 'book' || !isEnough) return book(state, booking, isEnough ? 'done' : 'refused')
    prepared.push(booking)
  } else if (what === 'commit' || what === 'abort') {
    state.prepared = prepared.filter((other) => other !== own)
    if (own && what === 'commit') book(state, own, 'done')
    else if (what === 'abort' && !known) bookings.push({ transfer: '', amount: 0, key })
  } else if (what === 'remove') state.outbox = outbox.filter((other) => !isDeepStrictEqual(other, booking))
  else outbox.push(booking)
  return 'done'
}

function book({ accounts, bookings, outbox }: State, booking: Booking, answer: Answer): Answer {
  const { transfer, account, amount, key, onDone, onRefused } = booking
  if (answer === 'done') accounts[account] += amount
  bookings.push({ transfer, amount: answer === 'done' ? amount : 0, key })
  const message = answer === 'done' ? onDone : onRefused
  if (message) outbox.push(message)
  return answer
}

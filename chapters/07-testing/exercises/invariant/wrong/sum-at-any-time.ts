// The checker says: False alarm: in this history nothing is wrong.
/** Expects the money to be in one of the accounts at every moment. */
import type { Seen } from '../check.ts'

export function invariant({ balances, bookings }: Seen): string | undefined {
  if (balances.A < 0 || balances.B < 0) return 'an account is overdrawn'
  const keys = bookings.map(({ bank, transfer }) => `${bank} ${transfer}`)
  if (new Set(keys).size < keys.length) return 'a transfer was made twice'
  if (balances.A + balances.B !== 20) return 'money got lost'
  return undefined
}

// The checker says: A bug gets past your invariant: money never arrives.
/** Says what must never happen, and forgets what must happen in the end. */
import type { Seen } from '../check.ts'

export function invariant({ balances, bookings, transfers }: Seen): string | undefined {
  if (balances.A < 0 || balances.B < 0) return 'an account is overdrawn'
  for (const { id, from, to } of transfers) {
    const withdrawn = bookings.filter(({ transfer, bank }) => transfer === id && bank === from).length
    const deposited = bookings.filter(({ transfer, bank }) => transfer === id && bank === to).length
    if (withdrawn > 1 || deposited > 1) return 'a transfer was made twice'
    if (deposited > withdrawn) return 'money was made out of nothing'
  }
  return undefined
}

// The checker says: A bug gets past your invariant: a transfer is made twice.
/** Only adds up the balances. */
import type { Seen } from '../check.ts'

export function invariant({ ended, balances }: Seen): string | undefined {
  if (balances.A < 0 || balances.B < 0) return 'an account is overdrawn'
  if (ended && balances.A + balances.B !== 20) return 'money got lost'
  return undefined
}

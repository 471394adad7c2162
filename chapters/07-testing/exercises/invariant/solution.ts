/** What must hold in the two banks, whatever happens. */
import type { Seen } from './check.ts'

/**
 * Looks at what has happened so far.
 *
 * @returns what is wrong, in one sentence; undefined if it may be so
 */
export function invariant({ ended, balances, bookings, transfers }: Seen): string | undefined {
  for (const [bank, cents] of Object.entries(balances)) {
    if (cents < 0) return `the account at ${bank} is overdrawn: ${cents}`
  }
  // Each transfer by itself: a sum over all of them hides two mistakes that cancel each other out.
  for (const { id, from, to } of transfers) {
    const booked = (bank: string) => bookings.filter((each) => each.transfer === id && each.bank === bank).length
    if (booked(from) > 1 || booked(to) > 1) return `${id} was made twice`
    // Until the end the money may be on its way, in neither account.
    if (ended && booked(from) !== booked(to)) return `${id} was withdrawn and never deposited`
  }
  return undefined
}

// The checker says: The books of one order were taken twice.
/** Tries again after a conflict, and does not notice that its own write caused it. */
import type { Order, Steps, Store } from '../check.ts'

export function* ship({ quantity }: Order, store: Store): Steps<'shipped' | 'sold out'> {
  for (;;) {
    const { shelf, version } = yield* store.read()
    if (shelf.left < quantity) return 'sold out'
    const answer = yield* store.writeIf(version, { ...shelf, left: shelf.left - quantity })
    if (answer === 'written') return 'shipped'
  }
}

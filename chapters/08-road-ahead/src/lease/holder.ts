/** A client that adds an item to the document while it holds the lock: it reads the whole, and writes the whole. */
import { ask, type ClientOptions, type Steps } from './lease.ts'

/** It was `too late` by its own clock, or `refused` by the store. */
export type Outcome = 'written' | 'refused' | 'too late'

/** Adds an item, whose name is that of the client for this one time. */
export function* addItem({ by, leaseMs, againMs, clock, mistake, onHold }: ClientOptions): Steps<Outcome> {
  let sentMs = clock()
  let { token } = yield* ask('lock', { do: 'take', by, ms: leaseMs })
  while (token === undefined) {
    yield { do: 'wait', ms: againMs }
    sentMs = clock()
    token = (yield* ask('lock', { do: 'take', by, ms: leaseMs })).token
  }
  // Nothing but its own work tells it that its time is over.
  onHold(Number.POSITIVE_INFINITY)
  if (mistake === 'trusts its lease' || mistake === 'checks its clock') token = undefined
  const readToken = mistake === 'no token on reads' ? undefined : token
  const read = yield* ask('store', { do: 'read', token: readToken })
  let outcome: Outcome = 'refused'
  if (clock() >= sentMs + leaseMs && mistake !== 'trusts its lease') outcome = 'too late'
  else if (read.isDone) {
    const written = yield* ask('store', { do: 'write', value: `${read.value} ${by}`.trim(), token })
    if (written.isDone) outcome = 'written'
  }
  onHold(Number.NEGATIVE_INFINITY)
  yield* ask('lock', { do: 'release', by, compares: mistake !== 'frees any lock' })
  return outcome
}

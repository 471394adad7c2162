/** A candidate: whoever has the lease leads, for as long as its own clock says that the lease runs. */
import { ask, type ClientOptions, type Steps } from './lease.ts'

/** It also knows by which share of a time its clock and the server’s may differ, at most. */
export type CandidateOptions = ClientOptions & { drift: number }

// #region candidate
export function* stand({ by, leaseMs, againMs, drift, clock, mistake, onHold }: CandidateOptions): Steps {
  for (;;) {
    const sentMs = clock()
    const { token } = yield* ask('lock', { do: 'take', by, ms: leaseMs })
    // The server has counted from some moment between the question and the answer: the earlier one is safe.
    const fromMs = mistake === 'counts from the answer' ? clock() : sentMs
    const share = mistake === 'allows for no drift' ? 1 : 1 - drift
    const lastsMs = mistake === 'waits to be told' ? Number.POSITIVE_INFINITY : leaseMs * share
    onHold(token === undefined ? Number.NEGATIVE_INFINITY : fromMs + lastsMs)
    yield { do: 'wait', ms: againMs }
  }
}
// #endregion candidate

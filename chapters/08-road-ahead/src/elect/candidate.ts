/** A candidate: whoever has the lease leads, for as long as its own clock says that the lease runs. */
import { ask, type Steps } from '../lease/lease.ts'

/** What is wrong with a candidate: each can be switched on, and leads to two leaders. */
export const mistakes = {
  'waits to be told': 'A leader leads until the store says that it has lost the lease.',
  'counts from the answer': 'A leader counts the lease from the moment at which the answer came.',
  'allows for no drift': 'A leader takes its own clock for as fast as the store’s.',
} as const
export type Mistake = keyof typeof mistakes

export interface CandidateOptions {
  name: string
  leaseMs: number
  /** The time between two questions to the store. */
  everyMs: number
  /** By which share of a time its clock and the store's may differ, at most. */
  drift: number
  /** Its own clock, in ms. */
  clock: () => number
  mistake?: Mistake | undefined
  /** Called with the time, by its clock, until which it leads. It is in the past if it does not. */
  onAnswer: (untilMs: number) => void
}

// #region candidate
export function* stand({ name, leaseMs, everyMs, drift, clock, mistake, onAnswer }: CandidateOptions): Steps {
  for (;;) {
    const sentMs = clock()
    const { token } = yield* ask('store', { do: 'take', by: name, ms: leaseMs })
    // The store has counted from some moment between the question and the answer: the earlier one is safe.
    const fromMs = mistake === 'counts from the answer' ? clock() : sentMs
    const share = mistake === 'allows for no drift' ? 1 : 1 - drift
    const lastsMs = mistake === 'waits to be told' ? Number.POSITIVE_INFINITY : leaseMs * share
    onAnswer(token === undefined ? Number.NEGATIVE_INFINITY : fromMs + lastsMs)
    yield { do: 'wait', ms: everyMs }
  }
}
// #endregion candidate

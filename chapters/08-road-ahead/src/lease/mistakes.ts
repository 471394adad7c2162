/** Mistakes that can be switched on. */

/** Each of them breaks something. */
export const lockMistakes = {
  'trusts its lease': 'A holder writes when it is ready, however long that took. There is no token.',
  'checks its clock': 'A holder writes if its lease should still run by its own clock. There is no token.',
  'no token on reads': 'The store learns of a token only when something is written with it.',
  'forgets its tokens': 'The server of the lock does not save its tokens.',
  'frees any lock': 'A holder frees the lock without comparing whether it is still its own.',
} as const

/** Each of them leads to two leaders. */
export const candidateMistakes = {
  'waits to be told': 'A leader leads until the store says that it has lost the lease.',
  'counts from the answer': 'A leader counts the lease from the moment at which the answer came.',
  'allows for no drift': 'A leader takes its own clock for as fast as the store’s.',
} as const

export type Mistake = keyof typeof lockMistakes | keyof typeof candidateMistakes

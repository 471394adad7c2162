/** What a process that checks solutions reports to the one that started it: lines of JSON on file descriptor 3. */
import type { Fault } from './exercise.ts'

/** The variable that all processes of a check have. */
export const markName = 'EXERCISE_CHECK'

export type Report =
  | { begins: string }
  // It has been computing since the last report: on a busy machine that takes longer.
  | { computes: string }
  | { ends: string; ms: number; fault: Fault | null }

/** The number of bytes that a solution may print. */
export const mostPrinted = 1_000_000
export const printsTooMuch = `It prints without end: more than ${mostPrinted / 1_000_000} MB.`

/** An exercise: a file with a gap, and a checker that tries to break what was written there. */

/** A step of a history. */
export interface Step {
  /** The thread, process or node that took it. */
  who: string
  what: string
  /** The receiver, if it is a message. */
  to?: string
  /** The line of the reader's file that took it, from 1. */
  line?: number | undefined
}

/** What broke. */
export interface Fault {
  /** What went wrong, in one sentence. */
  says: string
  expected?: string
  received?: string
  /** The shortest history in which it goes wrong: at most `longestHistory` steps. */
  history?: readonly Step[]
  /** The line of the reader's file that made the decisive step; by default that of the history's last step with a line. */
  line?: number | undefined
  /** Why it went wrong, in one sentence. */
  why?: string
}

/** More steps do not fit a screen, and nobody follows them. */
export const longestHistory = 12

export interface Exercise<Solution> {
  /**
   * Tries to break a solution. The same solution gets the same answer.
   *
   * @param solution the reader's module
   * @returns what broke, or undefined if nothing did
   * @throws what the solution throws; the judge turns that into a verdict
   */
  check(solution: Solution, options: { signal: AbortSignal }): Promise<Fault | undefined> | Fault | undefined
}

/** Declares the checker of an exercise: the default export of its check.ts. */
export const exercise = <Solution>(definition: Exercise<Solution>): Exercise<Solution> => definition

/** A server's vote in the elections of a Raft group. */
import type { Ask, Ballot, Disk, Steps } from './check.ts'

export class Voter {
  #term: number
  #votedFor: string | undefined

  /** Starts with what was saved last; undefined if nothing was. */
  constructor(saved: Ballot | undefined) {
    // Your code: what else did it know before the crash?
    this.#term = saved?.term ?? 0
  }

  /** Returns whether a candidate gets the vote. */
  *vote({ term, candidate }: Ask, disk: Disk): Steps<boolean> {
    if (term < this.#term) return false
    if (term > this.#term) {
      this.#term = term
      this.#votedFor = undefined
    }
    if (this.#votedFor !== undefined && this.#votedFor !== candidate) return false
    this.#votedFor = candidate
    // Your code: is this all that a crash must not take away?
    yield* disk.save({ term, votedFor: undefined })
    return true
  }
}

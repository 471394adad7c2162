/** A server's vote in the elections of a Raft group. */
import type { Ask, Ballot, Disk, Steps } from './check.ts'

export class Voter {
  #term: number
  #votedFor: string | undefined

  /** Starts with what was saved last; undefined if nothing was. */
  constructor(saved: Ballot | undefined) {
    this.#term = saved?.term ?? 0
    this.#votedFor = saved?.votedFor
  }

  /** Returns whether a candidate gets the vote. */
  *vote({ term, candidate }: Ask, disk: Disk): Steps<boolean> {
    if (term < this.#term) return false
    if (term > this.#term) {
      this.#term = term
      this.#votedFor = undefined
    }
    // Before the save: another candidate may ask while the disk is busy.
    this.#votedFor ??= candidate
    if (this.#votedFor !== candidate) return false
    // Also when it asks again: the save of the first call may not have ended.
    yield* disk.save({ term, votedFor: candidate })
    return true
  }
}

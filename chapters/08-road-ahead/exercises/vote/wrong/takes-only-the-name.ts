// The checker says: c votes twice in a term, although its first vote was on the disk.
/** Takes over whom it voted for, and not in which term: after a restart every term is a new one. */
import type { Ask, Ballot, Disk, Steps } from '../check.ts'

export class Voter {
  #term = 0
  #votedFor: string | undefined

  constructor(saved: Ballot | undefined) {
    this.#votedFor = saved?.votedFor
  }

  *vote({ term, candidate }: Ask, disk: Disk): Steps<boolean> {
    if (term < this.#term) return false
    if (term > this.#term) {
      this.#term = term
      this.#votedFor = undefined
    }
    this.#votedFor ??= candidate
    if (this.#votedFor !== candidate) return false
    yield* disk.save({ term, votedFor: candidate })
    return true
  }
}

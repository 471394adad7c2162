// The checker says: c votes twice in a term: its first vote was not on the disk when it crashed.
/** Believes that what is in the variables is on the disk. */
import type { Ask, Ballot, Disk, Steps } from '../check.ts'

export class Voter {
  #term: number
  #votedFor: string | undefined

  constructor(saved: Ballot | undefined) {
    this.#term = saved?.term ?? 0
    this.#votedFor = saved?.votedFor
  }

  *vote({ term, candidate }: Ask, disk: Disk): Steps<boolean> {
    if (term < this.#term) return false
    if (term === this.#term && this.#votedFor !== undefined) return this.#votedFor === candidate
    this.#term = term
    this.#votedFor = candidate
    yield* disk.save({ term, votedFor: candidate })
    return true
  }
}

// The checker says: c votes twice in a term, without a crash: it was asked while its disk was busy.
/** Assigns the variables when the save has ended. */
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
    if (term === this.#term && this.#votedFor !== undefined && this.#votedFor !== candidate) return false
    yield* disk.save({ term, votedFor: candidate })
    this.#term = term
    this.#votedFor = candidate
    return true
  }
}

/** The whole job done several times: its result, and how long it and its phases took. */
import { median } from '@repo/common/measure'
import type { Compared, ComparisonOptions, PhaseName } from '@repo/common/workloads/all-pairs'

/** A way to do the whole job. It calls `onPhase` with the name of each phase when the phase has ended. */
export type Way = (options: ComparisonOptions, onPhase: (name: PhaseName) => void) => Promise<Compared>

export class WholeJob {
  /** Of the latest run. */
  result: Compared | undefined
  readonly #way: Way
  readonly #count: number
  readonly #runsMs: number[] = []
  readonly #phasesMs = new Map<PhaseName, number[]>()

  /** @param count the number of most similar pairs to find */
  constructor(count: number, way: Way) {
    this.#count = count
    this.#way = way
  }

  /**
   * Does it, and returns the milliseconds that it took.
   *
   * @param used an earlier result, whose memory this run uses again
   */
  async run(used = this.result): Promise<number> {
    const start = performance.now()
    let begin = start
    this.result = await this.#way({ count: this.#count, used }, (name) => {
      const now = performance.now()
      this.#phasesMs.set(name, [...(this.#phasesMs.get(name) ?? []), now - begin])
      begin = now
    })
    this.#runsMs.push(performance.now() - start)
    return this.#runsMs.at(-1) as number
  }

  /** The median of all runs but the first, which is a warm-up. */
  get ms(): number {
    return median(this.#runsMs.slice(1))
  }

  /** The same for a phase. */
  msOf(name: PhaseName): number {
    return median((this.#phasesMs.get(name) ?? []).slice(1))
  }
}

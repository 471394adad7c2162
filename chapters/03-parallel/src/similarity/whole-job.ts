/** The whole job done several times: its result, and how long it and its phases took. */
import { median } from '@repo/common/measure'
import { type Compared, type ComparisonOptions, compareAlone, type PhaseName } from '@repo/common/workloads/all-pairs'
import { compareInParallel, type Workers } from './parallel.ts'

/** A way to do the whole job. */
export type Way = (options: ComparisonOptions) => Promise<Compared>

/** The whole job on this thread. */
export function onOneThread(texts: readonly string[], size: number, signal?: AbortSignal): Way {
  return (options) => compareAlone(texts, size, { ...options, signal })
}

/** The whole job on some workers of a pool. */
export function onWorkers(texts: readonly string[], size: number, on: Workers): Way {
  return (options) => compareInParallel(texts, size, { ...options, ...on })
}

export class WholeJob {
  /** Of the latest run. */
  result: Compared | undefined
  readonly #way: Way
  readonly #count: number
  readonly #onPhase: () => void
  readonly #runsMs: number[] = []
  readonly #phasesMs = new Map<PhaseName, number[]>()

  /**
   * @param count the number of most similar pairs to find
   * @param onPhase is called when a phase has ended
   */
  constructor(count: number, way: Way, onPhase = () => {}) {
    this.#count = count
    this.#way = way
    this.#onPhase = onPhase
  }

  /**
   * Does it, and returns the milliseconds that it took.
   *
   * @param index an earlier one of the same texts, whose memory this run uses again
   */
  async run(index = this.result?.index): Promise<number> {
    const used = { index, table: this.result?.table }
    const start = performance.now()
    let begin = start
    const onPhase = (name: PhaseName) => {
      const now = performance.now()
      this.#phasesMs.set(name, [...(this.#phasesMs.get(name) ?? []), now - begin])
      this.#onPhase()
      begin = now
    }
    this.result = await this.#way({ count: this.#count, used, onPhase })
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

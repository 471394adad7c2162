/** For programs that cause faults: a schedule that a seed repeats, and a record of who was up and who was cut off. */
import { type Draw, drawFrom } from '../async/random.ts'

/**
 * Returns a schedule of faults, always the same one for a seed. A fault strikes after a number of jobs and not at a
 * time, because no two runs are equally fast.
 *
 * @param make draws the faults, in any order
 * @param count returns the number of jobs after which a fault strikes
 * @returns the faults, sorted by that number
 */
export function faultsFrom<Fault>(
  seed: number,
  make: (draw: Draw) => Fault[],
  count: (fault: Fault) => number,
): Fault[] {
  return make(drawFrom(seed)).sort((a, b) => count(a) - count(b))
}

/** When something was in a state, in ms on the record's clock: a span for `timeline`. */
export interface Period<State extends string> {
  kind: State
  from: number
  to: number
}

/**
 * Records who was in which state, and when. A process may be in several states at once, such as `up` and `cut off`. In
 * a gap of `up` it was dead.
 */
export class StateRecord<State extends string> {
  readonly now: () => number
  readonly #periods = new Map<string, Period<State>[]>()
  readonly #open = new Map<string, { who: string; kind: State; from: number }>()

  /** @param now the clock, in ms; by default it starts at 0 when the record is created */
  constructor(now?: () => number) {
    const start = performance.now()
    this.now = now ?? (() => performance.now() - start)
  }

  /** Begins a state, or begins it anew. It ends with `end`, or when the returned object is disposed of. */
  begin(who: string, kind: State): Disposable {
    this.#open.set(`${who} ${kind}`, { who, kind, from: this.now() })
    return { [Symbol.dispose]: () => this.end(who, kind) }
  }

  /** Ends a state, if it has begun. */
  end(who: string, kind: State): void {
    const open = this.#open.get(`${who} ${kind}`)
    if (!open) return
    this.#open.delete(`${who} ${kind}`)
    const own = this.#periods.get(who) ?? []
    this.#periods.set(who, own)
    own.push({ kind, from: open.from, to: this.now() })
  }

  endAll(): void {
    for (const { who, kind } of [...this.#open.values()]) this.end(who, kind)
  }

  /** Returns the states that have ended, for each process in alphabetical order: rows for `timeline`. */
  rows(): { name: string; spans: Period<State>[] }[] {
    const names = [...this.#periods.keys()].sort()
    return names.map((name) => ({ name, spans: this.#periods.get(name) ?? [] }))
  }
}

/**
 * What every program that causes faults needs: a schedule that a seed repeats, and a record of who was up and who was cut
 * off meanwhile.
 */
import { type Draw, drawFrom } from '../async/random.ts'

/**
 * A schedule of faults: the same for the same seed. Faults strike when a number of jobs are done and not at a time: no two
 * runs are equally fast.
 *
 * @param make draws the faults, in any order
 * @param count the number of jobs after which a fault strikes
 * @returns the faults in the order in which they strike
 */
export function faultsFrom<Fault>(
  seed: number,
  make: (draw: Draw) => Fault[],
  count: (fault: Fault) => number,
): Fault[] {
  return make(drawFrom(seed)).sort((a, b) => count(a) - count(b))
}

/** How long something was in a state, in ms on the record's clock. `timeline` draws it as a span. */
export interface Period<State extends string> {
  kind: State
  from: number
  to: number
}

/**
 * Who was in which state, from when to when: `up`, `cut off` and the like. States of one process may overlap, such as `up`
 * and `cut off`. A gap in `up` is a time when the process was dead.
 */
export class StateRecord<State extends string> {
  readonly now: () => number
  readonly #periods = new Map<string, Period<State>[]>()
  readonly #open = new Map<string, { who: string; kind: State; from: number }>()

  /** @param now the clock, in ms; by default it starts at 0 when the record is made */
  constructor(now?: () => number) {
    const start = performance.now()
    this.now = now ?? (() => performance.now() - start)
  }

  /** Returns what ends the state when it is disposed of; `end` does too. A state that has begun already begins anew. */
  begin(who: string, kind: State): Disposable {
    this.#open.set(`${who} ${kind}`, { who, kind, from: this.now() })
    return { [Symbol.dispose]: () => this.end(who, kind) }
  }

  /** Does nothing when the state has not begun. */
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

  /** The states that have ended, by process, in alphabetical order: rows of a `timeline`. */
  rows(): { name: string; spans: Period<State>[] }[] {
    const names = [...this.#periods.keys()].sort()
    return names.map((name) => ({ name, spans: this.#periods.get(name) ?? [] }))
  }
}

/**
 * Clocks that count events instead of seconds. Each is told of three things: an event of its own process, a message that is
 * sent, which carries the clock's reading, and a message that has come, with the sender's.
 */

/** Lamport 1978: larger for whatever comes later; but larger does not mean later. */
export class LamportClock {
  #time = 0

  /** For an event and for a message that is sent. */
  tick(): number {
    return ++this.#time
  }

  receive(sent: number): number {
    this.#time = Math.max(this.#time, sent)
    return this.tick()
  }
}

/** Mattern and Fidge 1988: how many events of each process one may have heard of. Tells what is concurrent. */
export class VectorClock {
  readonly #counts: number[]
  readonly #self: number

  /** @param self the index of this process among `processes` */
  constructor(self: number, processes: number) {
    this.#self = self
    this.#counts = new Array<number>(processes).fill(0)
  }

  tick(): number[] {
    this.#counts[this.#self] = 1 + (this.#counts[this.#self] ?? 0)
    return [...this.#counts]
  }

  receive(sent: readonly number[]): number[] {
    for (const [at, count] of sent.entries()) this.#counts[at] = Math.max(this.#counts[at] ?? 0, count)
    return this.tick()
  }
}

/** Whether the event with reading `a` happened before that with `b`: could have been its cause. Neither way: concurrent. */
export function happenedBefore(a: readonly number[], b: readonly number[]): boolean {
  return a.every((count, at) => count <= (b[at] ?? 0)) && a.some((count, at) => count < (b[at] ?? 0))
}

/** A time that looks like a wall clock's, in whole ms, and a counter for what has the same. */
export interface HybridTime {
  ms: number
  count: number
}

/**
 * Kulkarni et al. 2014: the latest wall clock that one has heard of, and a counter where that stands still. In the order of
 * causes as Lamport's, and never further from a wall clock than these are from each other.
 */
export class HybridClock {
  readonly #wall: () => number
  #last: HybridTime = { ms: 0, count: 0 }

  /** @param wall the process's wall clock in ms, right or wrong */
  constructor(wall: () => number) {
    this.#wall = wall
  }

  tick(): HybridTime {
    return this.receive({ ms: 0, count: -1 })
  }

  receive(sent: HybridTime): HybridTime {
    const ms = Math.max(this.#last.ms, sent.ms, Math.floor(this.#wall()))
    const counts = [this.#last, sent].filter((time) => time.ms === ms).map(({ count }) => count)
    // A wall clock that is ahead of all that was heard of begins a new count.
    this.#last = { ms, count: counts.length === 0 ? 0 : 1 + Math.max(...counts) }
    return this.#last
  }
}

export const compareHybrid = (a: HybridTime, b: HybridTime): number => a.ms - b.ms || a.count - b.count

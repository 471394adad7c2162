/**
 * Clocks that count events, not seconds. A clock counts the local events of its process, each message that it sends,
 * which carries the clock's reading, and each message that it receives, with the sender's reading.
 */

// #region lamport
/** Lamport 1978: an effect has a larger number than its cause, but a larger number does not make an event an effect. */
export class LamportClock {
  #time = 0

  /** Returns the reading for an event, or for a message that is sent. */
  tick(): number {
    return ++this.#time
  }

  receive(sent: number): number {
    this.#time = Math.max(this.#time, sent)
    return this.tick()
  }
}
// #endregion lamport

/**
 * Mattern and Fidge 1988: for each process, the number of its events that this one may have heard of. It shows what is
 * concurrent.
 */
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

// #region happened-before
/**
 * Returns whether the event with reading `a` could have caused the one with reading `b`. Two events are concurrent when
 * neither could have caused the other.
 */
export function happenedBefore(a: readonly number[], b: readonly number[]): boolean {
  return a.every((count, at) => count <= (b[at] ?? 0)) && a.some((count, at) => count < (b[at] ?? 0))
}
// #endregion happened-before

/** A wall-clock time in whole ms, and a counter for events with the same time. */
export interface HybridTime {
  ms: number
  count: number
}

/**
 * Kulkarni et al. 2014: the latest wall-clock time that the process has heard of, and a counter for when it stands
 * still. It puts causes before effects as Lamport's clock does, and is wrong by at most 1 ms more than
 * the worst wall clock, because it rounds down to whole ms.
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

  // #region hybrid
  receive(sent: HybridTime): HybridTime {
    const ms = Math.max(this.#last.ms, sent.ms, Math.floor(this.#wall()))
    const counts = [this.#last, sent].filter((time) => time.ms === ms).map(({ count }) => count)
    // A wall clock that is ahead of everything heard of restarts the count.
    this.#last = { ms, count: counts.length === 0 ? 0 : 1 + Math.max(...counts) }
    return this.#last
  }
  // #endregion hybrid
}

export const compareHybrid = (a: HybridTime, b: HybridTime): number => a.ms - b.ms || a.count - b.count

/** What is to come in a simulation, the next one first: a binary heap. */
interface Entry<T> {
  atMs: number
  /** Of two at the same time, the one that was added first comes first. */
  turn: number
  what: T
}

export class EventQueue<T> {
  readonly #heap: Entry<T>[] = []
  #turns = 0

  add(atMs: number, what: T): void {
    const heap = this.#heap
    const added = { atMs, turn: this.#turns++, what }
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Entry<T>
      if (!isBefore(added, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = added
  }

  /** The next one, which is taken out; undefined when there is none. */
  take(): Entry<T> | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = heap[below]
      if (child === undefined) break
      const other = heap[below + 1]
      if (other !== undefined && isBefore(other, child)) {
        child = other
        below++
      }
      if (!isBefore(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}

const isBefore = (a: Entry<unknown>, b: Entry<unknown>) => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)

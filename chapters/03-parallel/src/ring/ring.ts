/**
 * A bounded queue in shared memory for any number of producers and consumers, each on a thread of its own: a ring of
 * slots of one size. After Dmitry Vyukov's bounded MPMC queue, with blocking and closing added.
 *
 * A position counts the items ever put in, in steps of two (the low bit has another use), modulo 2³². Position p lies
 * in slot (p / 2) mod capacity. Each slot has a sequence word that says whose turn it is:
 *
 *     p        free: the producer that claims position p may write
 *     p + 1    full: the consumer that claims position p may read
 *     p + 2·capacity    free again, for the producer one round later
 *
 * A producer claims a position by moving the tail with one compare-and-swap, a consumer by moving the head. After that,
 * each works in its own slot and disturbs no other. The low bit of the tail says that the queue is closed. Because it
 * is part of the same word, every claim either comes before the close, and the item will be drained, or it fails.
 *
 * A thread that finds the queue full or empty looks again for a while, and then sleeps in Atomics.wait until it is
 * woken. To miss no wake-up, it first announces itself as a sleeper and then looks once more; the other side first
 * publishes its slot and then looks for sleepers. Atomics are sequentially consistent, so at least one of the two sees
 * the other.
 *
 * No thread holds a lock. But a thread that is terminated between claim and publication leaves its slot unfinished, and
 * the queue stops there. So do not terminate threads that use a queue: `close` it, and let them finish.
 */

/** What to send to another thread, by `postMessage` or `workerData`. The memory itself is shared, not copied. */
export interface RingMemory {
  /** The tail, the head and the words that sleepers wait on, each on its own cache line; then the sequence words. */
  control: Int32Array<SharedArrayBuffer>
  /** capacity × itemWords words. */
  slots: Int32Array<SharedArrayBuffer>
  capacity: number
  itemWords: number
}

// Indexes into control, 64 bytes apart, so that producers and consumers do not fight over a cache line.
const tail = 0
const head = 16
const [notEmpty, sleepingConsumers] = [32, 33]
const [notFull, sleepingProducers] = [48, 49]
const sequences = 64

/**
 * Memory for a queue.
 *
 * @param capacity the number of items it holds, a power of two
 * @param itemBytes the size of an item, a multiple of four
 * @param first the position at which the queue begins, an even 32-bit integer; tests begin just before it wraps round
 * @throws a RangeError for other values, and for more than 4 GiB
 */
export function ringMemory(capacity: number, itemBytes: number, first = 0): RingMemory {
  if (!Number.isInteger(Math.log2(capacity)) || capacity < 2 || capacity > 2 ** 24) {
    throw new RangeError(`a ring has a power of two from 2 to ${2 ** 24} slots, not ${capacity}`)
  }
  if (!Number.isInteger(itemBytes) || itemBytes % 4 !== 0 || itemBytes < 4) {
    throw new RangeError(`an item has a multiple of 4 bytes, not ${itemBytes}`)
  }
  if (capacity * itemBytes > 2 ** 32) {
    throw new RangeError(`a ring has at most ${2 ** 32} bytes, not ${capacity} slots of ${itemBytes}`)
  }
  // The low bit would say that the ring is closed.
  if ((first | 0) !== first || first & 1) throw new RangeError(`a ring begins at an even 32-bit integer, not ${first}`)
  const control = new Int32Array(new SharedArrayBuffer(4 * (sequences + capacity)))
  control[tail] = control[head] = first
  for (let at = 0; at < capacity; at++) {
    const position = (first + 2 * at) | 0
    control[sequences + ((position >>> 1) & (capacity - 1))] = position
  }
  return {
    control,
    slots: new Int32Array(new SharedArrayBuffer(capacity * itemBytes)),
    capacity,
    itemWords: itemBytes / 4,
  }
}

/** One thread's access to a queue. `put` and `take` block the thread: do not call them where an event loop must run. */
export class Ring {
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #slots: Int32Array<SharedArrayBuffer>
  readonly #capacity: number
  readonly #itemWords: number
  readonly #looks: number

  /** @param looks how often to look for room or for an item before sleeping; most waits are shorter than a sleep */
  constructor({ control, slots, capacity, itemWords }: RingMemory, looks = 200) {
    this.#control = control
    this.#slots = slots
    this.#capacity = capacity
    this.#itemWords = itemWords
    this.#looks = looks
  }

  /**
   * Copies an item in; waits for room. Returns false, and puts nothing in, if the queue is closed. Throws a RangeError if
   * the item is not as long as the queue's items.
   */
  put(item: Int32Array): boolean {
    this.#requireLength(item)
    for (;;) {
      const outcome = this.#tryPut(item)
      if (outcome !== 'full') return outcome === 'done'
      this.#sleep(notFull, sleepingProducers, () => this.#isFull())
    }
  }

  /**
   * Copies the next item out; waits for one. Returns false if the queue is closed and drained. Throws a RangeError, and
   * takes nothing, if `into` is not as long as the queue's items.
   */
  take(into: Int32Array): boolean {
    this.#requireLength(into)
    for (;;) {
      const outcome = this.#tryTake(into)
      if (outcome !== 'empty') return outcome === 'done'
      this.#sleep(notEmpty, sleepingConsumers, () => this.#isEmpty())
    }
  }

  /** Lets nothing more in and wakes all waiting threads. The items inside can still be taken. May be called again. */
  close(): void {
    Atomics.or(this.#control, tail, 1)
    this.#wake(notEmpty)
    this.#wake(notFull)
  }

  /** How many items are inside, including those being written or read at the moment. */
  get size(): number {
    const control = this.#control
    for (;;) {
      const end = Atomics.load(control, tail)
      const start = Atomics.load(control, head)
      // The two words belong together only if the tail has not moved in between. Otherwise consumers may have taken what
      // was put in after the first look.
      if (Atomics.load(control, tail) === end) return (((end & ~1) - start) >>> 0) / 2
    }
  }

  #requireLength(item: Int32Array): void {
    if (item.length === this.#itemWords) return
    throw new RangeError(`item: received ${item.length} words; accepts ${this.#itemWords}`)
  }

  // #region try-put
  #tryPut(item: Int32Array): 'done' | 'full' | 'closed' {
    const control = this.#control
    const mask = this.#capacity - 1
    for (;;) {
      const position = Atomics.load(control, tail)
      if (position & 1) return 'closed'
      const slot = (position >>> 1) & mask
      const turn = (Atomics.load(control, sequences + slot) - position) | 0
      if (turn < 0) return 'full'
      // Another producer was faster: look again.
      if (turn > 0 || Atomics.compareExchange(control, tail, position, (position + 2) | 0) !== position) continue
      const words = this.#itemWords
      const at = slot * words
      for (let word = 0; word < words; word++) this.#slots[at + word] = item[word] as number
      Atomics.store(control, sequences + slot, (position + 1) | 0)
      if (Atomics.load(control, sleepingConsumers) > 0) this.#wake(notEmpty)
      return 'done'
    }
  }
  // #endregion try-put

  #tryTake(into: Int32Array): 'done' | 'empty' | 'drained' {
    const control = this.#control
    const mask = this.#capacity - 1
    for (;;) {
      const position = Atomics.load(control, head)
      const slot = (position >>> 1) & mask
      const turn = (Atomics.load(control, sequences + slot) - position - 1) | 0
      if (turn < 0) return Atomics.load(control, tail) === (position | 1) ? 'drained' : 'empty'
      if (turn > 0 || Atomics.compareExchange(control, head, position, (position + 2) | 0) !== position) continue
      const words = this.#itemWords
      const at = slot * words
      for (let word = 0; word < words; word++) into[word] = this.#slots[at + word] as number
      Atomics.store(control, sequences + slot, (position + 2 * this.#capacity) | 0)
      if (Atomics.load(control, sleepingProducers) > 0) this.#wake(notFull)
      return 'done'
    }
  }

  #isFull(): boolean {
    const position = Atomics.load(this.#control, tail)
    const slot = (position >>> 1) & (this.#capacity - 1)
    return !(position & 1) && ((Atomics.load(this.#control, sequences + slot) - position) | 0) < 0
  }

  #isEmpty(): boolean {
    const position = Atomics.load(this.#control, head)
    const slot = (position >>> 1) & (this.#capacity - 1)
    const nothing = ((Atomics.load(this.#control, sequences + slot) - position - 1) | 0) < 0
    return nothing && Atomics.load(this.#control, tail) !== (position | 1)
  }

  /** Looks again for a while, then sleeps until it is woken. */
  // #region sleep
  #sleep(word: number, sleepers: number, mustWait: () => boolean): void {
    for (let look = 0; look < this.#looks; look++) if (!mustWait()) return
    const control = this.#control
    Atomics.add(control, sleepers, 1)
    const ticket = Atomics.load(control, word)
    if (mustWait()) Atomics.wait(control, word, ticket)
    Atomics.sub(control, sleepers, 1)
  }
  // #endregion sleep

  #wake(word: number): void {
    Atomics.add(this.#control, word, 1)
    // Wake all sleepers. One that wakes too early, while the next slot is still being written, sleeps again; and only
    // the thread that completes that slot knows that there may be work for several.
    Atomics.notify(this.#control, word)
  }
}

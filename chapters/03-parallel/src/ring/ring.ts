/**
 * A bounded queue in shared memory for any number of producers and consumers, each on a thread of its own: a ring of
 * slots of one size. After Dmitry Vyukov's bounded MPMC queue; closing and blocking are added here.
 *
 * A position counts the items ever put in, in steps of two (the low bit is needed), modulo 2³². Position p lies in slot
 * (p / 2) mod capacity. Each slot carries a sequence word that says whose turn it is:
 *
 *     p        free: the producer that claims position p may write
 *     p + 1    full: the consumer that claims position p may read
 *     p + 2·capacity    free again, for the producer one round later
 *
 * A producer claims a position by moving the tail with one compare-and-swap, a consumer by moving the head; what they
 * then do in their slot disturbs nobody. The low bit of the tail says that the queue is closed: as it is part of the
 * same word, every claim is either before the close, and will be drained, or fails.
 *
 * Whoever finds the queue full or empty looks again a few times and then sleeps in Atomics.wait until it is woken. To
 * miss no wake-up it announces itself as a sleeper first and looks once more afterwards; the other side publishes its
 * slot first and looks for sleepers afterwards. Atomics are sequentially consistent: one of the two sees the other.
 *
 * No lock is held, but a thread that is ended from outside between claim and publication leaves its slot unfinished, and
 * the queue then stops there: let threads come to their end, with `close`, instead of terminating them.
 */

/** What travels to another thread by `postMessage` or `workerData`; the memory itself is shared, not copied. */
export interface RingMemory {
  /** Tail, head, and the words that sleepers wait on, each on a cache line of its own; then the sequence words. */
  control: Int32Array<SharedArrayBuffer>
  /** capacity × itemWords. */
  slots: Int32Array<SharedArrayBuffer>
  capacity: number
  itemWords: number
}

// Indexes of control, 64 bytes apart, so that producers and consumers do not fight over one cache line.
const tail = 0
const head = 16
const [notEmpty, sleepingConsumers] = [32, 33]
const [notFull, sleepingProducers] = [48, 49]
const sequences = 64

/**
 * Memory for a queue of `capacity` items, a power of two, of `itemBytes` bytes each, a multiple of four.
 *
 * @param first the position at which the queue begins, an even 32-bit integer: for tests near the end of the count
 * @throws RangeError for other values
 */
export function ringMemory(capacity: number, itemBytes: number, first = 0): RingMemory {
  if (!Number.isInteger(Math.log2(capacity)) || capacity < 2 || capacity > 2 ** 24) {
    throw new RangeError(`a ring has a power of two from 2 to ${2 ** 24} slots, not ${capacity}`)
  }
  if (itemBytes % 4 !== 0 || itemBytes < 4) throw new RangeError(`an item has a multiple of 4 bytes, not ${itemBytes}`)
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

/** One thread's hold of a queue. Its methods block the thread: use them in workers, not on an event loop's thread. */
export class Ring {
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #slots: Int32Array<SharedArrayBuffer>
  readonly #capacity: number
  readonly #itemWords: number
  readonly #looks: number

  /** @param looks how often to look for room or an item before sleeping, for most waits are shorter than a sleep */
  constructor({ control, slots, capacity, itemWords }: RingMemory, looks = 200) {
    this.#control = control
    this.#slots = slots
    this.#capacity = capacity
    this.#itemWords = itemWords
    this.#looks = looks
  }

  /** Copies an item in, waiting for room. Returns false, and puts nothing in, when the queue is closed. */
  put(item: Int32Array): boolean {
    for (;;) {
      const outcome = this.#tryPut(item)
      if (outcome !== 'full') return outcome === 'done'
      this.#sleep(notFull, sleepingProducers, () => this.#isFull())
    }
  }

  /** Copies the next item out, waiting for one. Returns false when the queue is closed and drained. */
  take(into: Int32Array): boolean {
    for (;;) {
      const outcome = this.#tryTake(into)
      if (outcome !== 'empty') return outcome === 'done'
      this.#sleep(notEmpty, sleepingConsumers, () => this.#isEmpty())
    }
  }

  /** Lets nothing more in. What is in can still be taken; whoever waits is woken. May be called more than once. */
  close(): void {
    Atomics.or(this.#control, tail, 1)
    this.#wake(notEmpty)
    this.#wake(notFull)
  }

  /** How many items are in, counting those that are just being written or read. */
  get size(): number {
    const control = this.#control
    return (((Atomics.load(control, tail) & ~1) - Atomics.load(control, head)) >>> 0) / 2
  }

  #tryPut(item: Int32Array): 'done' | 'full' | 'closed' {
    const control = this.#control
    const mask = this.#capacity - 1
    for (;;) {
      const position = Atomics.load(control, tail)
      if (position & 1) return 'closed'
      const slot = (position >>> 1) & mask
      const turn = (Atomics.load(control, sequences + slot) - position) | 0
      if (turn < 0) return 'full'
      // Otherwise another producer was faster: look again.
      if (turn > 0 || Atomics.compareExchange(control, tail, position, (position + 2) | 0) !== position) continue
      const words = this.#itemWords
      const at = slot * words
      for (let word = 0; word < words; word++) this.#slots[at + word] = item[word] as number
      Atomics.store(control, sequences + slot, (position + 1) | 0)
      if (Atomics.load(control, sleepingConsumers) > 0) this.#wake(notEmpty)
      return 'done'
    }
  }

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

  /** Looks again a few times, then sleeps until woken. */
  #sleep(word: number, sleepers: number, mustWait: () => boolean): void {
    for (let look = 0; look < this.#looks; look++) if (!mustWait()) return
    const control = this.#control
    Atomics.add(control, sleepers, 1)
    const ticket = Atomics.load(control, word)
    if (mustWait()) Atomics.wait(control, word, ticket)
    Atomics.sub(control, sleepers, 1)
  }

  #wake(word: number): void {
    Atomics.add(this.#control, word, 1)
    // All of them: a sleeper that is woken too early, while the next slot is still being written, sleeps again, and only
    // the one who completes that slot knows that there may be work for several.
    Atomics.notify(this.#control, word)
  }
}

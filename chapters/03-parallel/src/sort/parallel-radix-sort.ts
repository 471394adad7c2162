/**
 * The radix sort on several threads over shared memory. Four phases, and all workers meet after each:
 *
 *   look     each worker looks in which bits its part of the numbers differs; usually, a few numbers are enough
 *   count    it counts the first digits of its part
 *   scatter  and moves its part into the buckets. The places of each digit are dealt out by worker, in order, so the
 *            workers never write to the same place, and numbers with the same digit keep their order
 *   sort     the workers take buckets, the largest first, until none is left
 *
 * A bucket of more than half a worker's share would leave the others idle at the end. Such a bucket is one digit, for
 * smaller ones are cut at a few thousand numbers; so it goes through the first three phases again, by its next digit.
 */
import { divide, type Range } from '@repo/common/async/ranges'
import { cachedNumbers, cutIntoBuckets, firstDigits, widestDigit } from './buckets.ts'
import type { Digits } from './digits.ts'
import { type Bucket, keysOf, lookAt, toBits } from './keys.ts'
import type { SortMemory } from './numbers.ts'

/** The memory of a sort, and what the workers tell each other. */
export interface RadixMemory extends SortMemory {
  /**
   * For each worker: the bits in which its numbers differ, then how often it met each digit, then the next place of its
   * numbers with each digit.
   */
  counts: Int32Array<SharedArrayBuffer>[]
  /** The number of buckets that were taken. */
  taken: Int32Array<SharedArrayBuffer>
}

interface Place {
  /** Whether the numbers are in the scratch memory at this moment. */
  inScratch: boolean
}

/** `first` is the position of the number to compare with. */
type LookTask = { phase: 'look'; first: number }
type DigitTask = { phase: 'count' | 'scatter'; digits: Digits }

export type RadixTask =
  | ((LookTask | DigitTask) & Place & { worker: number; range: Range })
  | { phase: 'take'; buckets: (Bucket & Place)[] }

/** One for each digit, and one for NaN. */
const mostCounts = 2 ** widestDigit + 1

/** Adds to a sort's memory what the radix sort needs on this many workers: 256 KB for each. */
export function radixMemory(memory: SortMemory, workers: number): RadixMemory {
  return {
    ...memory,
    counts: Array.from({ length: workers }, () => new Int32Array(new SharedArrayBuffer(4 * mostCounts))),
    taken: new Int32Array(new SharedArrayBuffer(4)),
  }
}

/**
 * Sorts `memory.numbers`, fewer than 2^31, in place: as `radixSort` does, with the same result.
 *
 * @param workers how many take part, at most as many as the memory was made for
 * @param work has a worker that shares the memory do one task, by `doRadixTask`
 * @throws a RangeError, and changes nothing, for another number of workers
 */
export async function parallelRadixSort(
  memory: RadixMemory,
  workers: number,
  work: (task: RadixTask) => Promise<unknown>,
): Promise<void> {
  const { numbers, taken } = memory
  const counts = memory.counts.slice(0, workers)
  if (counts.length !== workers || workers < 1) {
    throw new RangeError(`workers: received ${workers}; accepts a whole number from 1 to ${memory.counts.length}`)
  }
  const { length } = numbers
  const large = Math.max(cachedNumbers, length / workers / 2)

  /** Moves numbers into buckets by the uppermost bits in which they differ, and large buckets into smaller ones. */
  const split = async (whole: Bucket & Place): Promise<(Bucket & Place)[]> => {
    const { inScratch } = whole
    const parts = divide(whole, workers).map((range, worker) => ({ worker, range, inScratch }))
    const all = (task: LookTask | DigitTask) => Promise.all(parts.map((part) => work({ ...part, ...task })))
    if (whole.bits > 0) await all({ phase: 'look', first: whole.from })
    const bits = toBits(sumOf(counts, 2, (a, b) => a | b))
    // Equal numbers are in order, and only have to be moved back: in parts.
    if (whole.bits === 0 || bits.bits === 0) {
      return divide(whole, 2 * workers).map((range) => ({ ...whole, ...range, bits: 0 }))
    }
    const digits = firstDigits(inScratch ? memory.scratch : numbers, whole, bits)
    await all({ phase: 'count', digits })
    const places = sumOf(counts, (1 << digits.width) + 1, (a, b) => a + b)
    const buckets = cutIntoBuckets(places, whole, bits.lowest, digits)
    const moves = buckets.length > 1
    if (moves) {
      dealPlaces(places, counts)
      await all({ phase: 'scatter', digits })
    }
    const done: (Bucket & Place)[] = []
    for (const bucket of buckets) {
      const moved = { ...bucket, inScratch: inScratch !== moves }
      if (bucket.to - bucket.from > large) done.push(...(await split(moved)))
      else done.push(moved)
    }
    return done
  }

  const buckets = await split({ from: 0, to: length, bits: 8 * numbers.BYTES_PER_ELEMENT, flip: 0, inScratch: false })
  buckets.sort((a, b) => b.to - b.from - (a.to - a.from))
  taken[0] = 0
  await Promise.all(counts.map(() => work({ phase: 'take', buckets })))
}

/** Does one task. */
export function doRadixTask({ numbers, scratch, counts, taken }: RadixMemory, task: RadixTask): void {
  const keysIn = (inScratch: boolean) => (inScratch ? keysOf(scratch, numbers) : keysOf(numbers, scratch))
  // #region take
  if (task.phase === 'take') {
    for (;;) {
      const bucket = task.buckets[Atomics.add(taken, 0, 1)]
      if (bucket === undefined) return
      const keys = keysIn(bucket.inScratch)
      keys.sort(bucket)
      if (bucket.inScratch) keys.move(bucket)
    }
  }
  // #endregion take
  const { range, inScratch } = task
  const own = counts[task.worker] as Int32Array
  if (task.phase === 'look') lookAt(inScratch ? scratch : numbers, range, task.first, own)
  else if (task.phase === 'count')
    keysIn(inScratch).count(range, task.digits, own.fill(0, 0, (1 << task.digits.width) + 1))
  else keysIn(inScratch).scatter(range, task.digits, own)
}

/** Combines the first `length` counts of all workers. */
function sumOf(counts: readonly Int32Array[], length: number, combine: (a: number, b: number) => number): Int32Array {
  const sum = new Int32Array(length)
  for (const own of counts) for (let at = 0; at < length; at++) sum[at] = combine(sum[at] as number, own[at] as number)
  return sum
}

/** Replaces each worker's counts by the places of its numbers: of every digit, those of the first worker come first. */
// #region deal-places
function dealPlaces(starts: Int32Array, counts: readonly Int32Array[]): void {
  for (const [digit, start] of starts.entries()) {
    let place = start
    for (const own of counts) {
      const count = own[digit] as number
      own[digit] = place
      place += count
    }
  }
}
// #endregion deal-places

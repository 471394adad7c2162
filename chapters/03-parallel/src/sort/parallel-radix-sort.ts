/**
 * The radix sort on several threads over shared memory. Three phases, and all workers meet after each:
 *
 *   count    each worker counts the first digits of its part of the numbers
 *   scatter  and moves its part into the buckets. In each bucket, the places are dealt out by worker, in order, so the
 *            workers never write to the same place, and numbers of the same bucket keep their order
 *   sort     the workers take buckets, the largest first, until none is left
 *
 * A bucket of more than half a worker's share would leave the others idle at the end. Such a bucket is one digit, for
 * smaller ones are cut at a few thousand numbers; so it goes through the first two phases again, by its next digit. If
 * that is the same in all its numbers, they stay where they are.
 */
import { divide, type Range } from '@repo/common/async/ranges'
import { cachedNumbers, cutIntoBuckets, digitCount, firstOrder, type Order, orderBelow } from './buckets.ts'
import { type Bucket, keysOf } from './keys.ts'
import type { SortMemory } from './numbers.ts'

/** The memory of a sort, and what the workers tell each other. */
export interface RadixMemory extends SortMemory {
  /** For each worker: first how often it met each digit, then the next place of its numbers in each bucket. */
  counts: Int32Array<SharedArrayBuffer>[]
  bucketOf: Uint16Array<SharedArrayBuffer>
  /** The number of buckets that were taken. */
  taken: Int32Array<SharedArrayBuffer>
}

interface Place {
  /** Whether the numbers are in the scratch memory at this moment. */
  inScratch: boolean
}

export type RadixTask =
  | ({ phase: 'count' | 'scatter'; worker: number; range: Range; bits: number } & Place)
  | { phase: 'take'; buckets: (Bucket & Place)[] }

/** Adds to a sort's memory what the radix sort needs on this many workers: 256 KB for each. */
export function radixMemory(memory: SortMemory, workers: number): RadixMemory {
  return {
    ...memory,
    counts: Array.from({ length: workers }, () => new Int32Array(new SharedArrayBuffer(4 * digitCount))),
    bucketOf: new Uint16Array(new SharedArrayBuffer(2 * digitCount)),
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
  const { numbers, bucketOf, taken } = memory
  const counts = memory.counts.slice(0, workers)
  if (counts.length !== workers || workers < 1) {
    throw new RangeError(`workers: received ${workers}; accepts a whole number from 1 to ${memory.counts.length}`)
  }
  const large = Math.max(cachedNumbers, numbers.length / workers / 2)

  /** Moves numbers into buckets by the digit at the top of `bits` bits. */
  const split = async (whole: Range & { bits: number } & Place, order: Order): Promise<(Bucket & Place)[]> => {
    const { bits, inScratch } = whole
    const parts = divide(whole, workers).map((range, worker) => ({ worker, range, bits, inScratch }))
    await Promise.all(parts.map((part) => work({ phase: 'count', ...part })))
    const buckets = cutIntoBuckets(sumOf(counts), whole, order, bucketOf)
    const moves = buckets.length > 1
    if (moves) {
      dealPlaces(buckets, counts, bucketOf)
      await Promise.all(parts.map((part) => work({ phase: 'scatter', ...part })))
    }
    const done: (Bucket & Place)[] = []
    for (const bucket of buckets) {
      const moved = { ...bucket, inScratch: inScratch !== moves }
      const isLarge = bucket.to - bucket.from > large
      if (isLarge && bucket.bits > 0) done.push(...(await split(moved, orderBelow(bucket))))
      // Equal numbers are in order, and only have to be moved back: in parts.
      else if (isLarge) done.push(...divide(moved, 2 * workers).map((range) => ({ ...moved, ...range })))
      else done.push(moved)
    }
    return done
  }

  const whole = { from: 0, to: numbers.length, bits: 8 * numbers.BYTES_PER_ELEMENT, inScratch: false }
  const buckets = await split(whole, firstOrder(numbers))
  buckets.sort((a, b) => b.to - b.from - (a.to - a.from))
  taken[0] = 0
  await Promise.all(counts.map(() => work({ phase: 'take', buckets })))
}

/** Does one task. */
export function doRadixTask({ numbers, scratch, counts, bucketOf, taken }: RadixMemory, task: RadixTask): void {
  const keysIn = (inScratch: boolean) => (inScratch ? keysOf(scratch, numbers) : keysOf(numbers, scratch))
  if (task.phase === 'take') {
    for (;;) {
      const bucket = task.buckets[Atomics.add(taken, 0, 1)]
      if (bucket === undefined) return
      const keys = keysIn(bucket.inScratch)
      keys.sort(bucket)
      if (bucket.inScratch) keys.move(bucket)
    }
  }
  const { range, bits, inScratch } = task
  const own = counts[task.worker] as Int32Array
  if (task.phase === 'count') keysIn(inScratch).count(range, bits, own.fill(0))
  else keysIn(inScratch).scatter(range, bits, bucketOf, own)
}

/** How often each digit occurs in all parts. */
function sumOf(counts: readonly Int32Array[]): Int32Array {
  const sum = new Int32Array(digitCount)
  for (const own of counts) for (let digit = 0; digit < digitCount; digit++) add(sum, digit, own[digit])
  return sum
}

/** Replaces each worker's counts by the places of its numbers: in every bucket, those of the first worker come first. */
function dealPlaces(buckets: readonly Bucket[], counts: readonly Int32Array[], bucketOf: Uint16Array): void {
  const next = Int32Array.from(buckets, ({ from }) => from)
  for (const own of counts) {
    const ofBucket = new Int32Array(buckets.length)
    for (let digit = 0; digit < digitCount; digit++) {
      if (own[digit] !== 0) add(ofBucket, bucketOf[digit] as number, own[digit])
    }
    own.set(next)
    for (let bucket = 0; bucket < buckets.length; bucket++) add(next, bucket, ofBucket[bucket])
  }
}

function add(sums: Int32Array, at: number, more: number | undefined): void {
  sums[at] = (sums[at] as number) + (more ?? 0)
}

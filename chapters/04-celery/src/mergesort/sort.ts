/**
 * Merge sort in pieces: cut the numbers into runs, sort each run, merge the runs two by two until one is left.
 * `sortLocally` does all of it in this process; ways.ts has the runs sorted by workers.
 */
import { integersFrom } from '@repo/common/async/random'
import { radixSort } from './radix-sort.ts'

export type Numbers = Int32Array<ArrayBuffer>

/** Random numbers over the whole range of 32 bits, the same for the same seed. */
export function randomNumbers(n: number, seed: number): Numbers {
  const numbers = new Int32Array(n)
  const next = integersFrom(seed)
  for (let at = 0; at < n; at++) numbers[at] = next()
  return numbers
}

/** Returns runs of nearly equal length, as views: nothing is copied. */
export function cut(numbers: Numbers, chunks: number): Numbers[] {
  const end = (chunk: number) => Math.floor((numbers.length * chunk) / chunks)
  return Array.from({ length: chunks }, (_, chunk) => numbers.subarray(end(chunk), end(chunk + 1)))
}

/** Merges two sorted runs into new memory. */
export function mergeTwo(left: Numbers, right: Numbers): Numbers {
  const merged = new Int32Array(left.length + right.length)
  let i = 0
  let j = 0
  let at = 0
  while (i < left.length && j < right.length) {
    const a = left[i] as number
    const b = right[j] as number
    // Which side wins is a coin toss: a processor would guess a branch wrong half the time. Arithmetic has none.
    const fromLeft = Number(a <= b)
    merged[at++] = fromLeft ? a : b
    i += fromLeft
    j += 1 - fromLeft
  }
  merged.set(left.subarray(i), at)
  merged.set(right.subarray(j), at + left.length - i)
  return merged
}

/** Merges any number of sorted runs. Every number is moved ⌈log₂ runs⌉ times. */
export function mergeRuns(runs: readonly Numbers[]): Numbers {
  const [first = new Int32Array(0)] = runs
  if (runs.length < 2) return first
  const half = runs.length >> 1
  return mergeTwo(mergeRuns(runs.slice(0, half)), mergeRuns(runs.slice(half)))
}

/** The same with runs that are still on their way: merges those that are here while others come. */
export async function mergeAsTheyCome(runs: readonly Promise<Numbers>[], merge = mergeTwo): Promise<Numbers> {
  // When one run fails, nobody waits for the others any more.
  for (const run of runs) run.catch(() => {})
  if (runs.length < 2) return (await runs[0]) ?? new Int32Array(0)
  const half = runs.length >> 1
  const halves = [mergeAsTheyCome(runs.slice(0, half), merge), mergeAsTheyCome(runs.slice(half), merge)] as const
  const [left, right] = await Promise.all(halves)
  return merge(left, right)
}

/** Sorts in this process, by the same algorithm, into new memory. Times in ms. */
export function sortLocally(numbers: Numbers, chunks: number): { sorted: Numbers; sortMs: number; mergeMs: number } {
  const begin = performance.now()
  const runs = cut(numbers, chunks).map((run) => radixSort(run.slice()))
  const sortedAt = performance.now()
  const sorted = mergeRuns(runs)
  return { sorted, sortMs: sortedAt - begin, mergeMs: performance.now() - sortedAt }
}

/** The bytes of the numbers in this machine's byte order: little-endian everywhere that Node runs, except on s390x. */
export const bytesOf = (numbers: Numbers) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)

/** The numbers in these bytes: the same memory if it is aligned to four bytes, else a copy. */
export function numbersIn(bytes: Buffer): Numbers {
  const { buffer, byteOffset, length } = bytes
  return byteOffset % 4 === 0 && buffer instanceof ArrayBuffer
    ? new Int32Array(buffer, byteOffset, length / 4)
    : new Int32Array(Uint8Array.from(bytes).buffer)
}

/**
 * Merge sort on several threads over shared memory. Each worker sorts one run of the numbers; then runs are merged two
 * by two until one is left. Also the merges are shared: the output is cut into equal parts, and for each part a binary
 * search (the merge path of Odeh, Green, Mwassi, Shmueli and Birk) finds what of the two inputs belongs into it, so that
 * every worker is busy to the end.
 *
 * The order is that of TypedArray.prototype.sort: −0 before 0, NaN last. A comparison by `<=` knows nothing of either, so
 * NaN, which every run has at its end, is left out of the merges and written behind the result; and as −0 and 0 compare
 * as equal, the zeros lie side by side afterwards and are put in order in one place.
 */
import { integersFrom } from '@repo/common/async/random'
import { divide, type Range } from '@repo/common/async/ranges'

export type Numbers = Int32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>

/** What every worker sees: the numbers and as much memory again, between which the merges go back and forth. */
export interface SortMemory {
  numbers: Numbers
  scratch: Numbers
}

/** A piece of work for one worker; positions are [from, to). */
export type SortTask =
  | { phase: 'sort'; from: number; to: number; toScratch: boolean }
  | { phase: 'merge'; left: Range; right: Range; output: number; from: number; to: number; fromScratch: boolean }

/** Memory for sorting `length` numbers: twice their size. */
export function sortMemory(type: 'int32' | 'float64', length: number): SortMemory {
  const allocate = () =>
    type === 'int32'
      ? new Int32Array(new SharedArrayBuffer(4 * length))
      : new Float64Array(new SharedArrayBuffer(8 * length))
  return { numbers: allocate(), scratch: allocate() }
}

/**
 * Sorts `memory.numbers` in place.
 *
 * @param runs into how many runs to cut them: as many as there are workers
 * @param work has one task done by a worker that shares the memory, with `doSortTask`
 */
export async function parallelSort(
  memory: SortMemory,
  runs: number,
  work: (task: SortTask) => Promise<number>,
): Promise<void> {
  const { numbers } = memory
  // So that the last of the merges, which go back and forth, ends in `numbers`.
  let fromScratch = Math.ceil(Math.log2(runs)) % 2 === 1
  const sorting = divide({ from: 0, to: numbers.length }, runs).map(async ({ from, to }) => {
    return { from, to: await work({ phase: 'sort', from, to, toScratch: fromScratch }) }
  })
  let ranges: Range[] = await Promise.all(sorting)

  while (ranges.length > 1) {
    const tasks: SortTask[] = []
    const merged: Range[] = []
    const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    let output = 0
    for (let at = 0; at < ranges.length; at += 2) {
      const left = ranges[at] as Range
      const right = ranges[at + 1] ?? { from: left.to, to: left.to }
      const size = left.to - left.from + right.to - right.from
      // In proportion to its size, so that all tasks of a round are about equally long.
      const parts = Math.max(1, Math.round((runs * size) / Math.max(1, total)))
      for (const { from, to } of divide({ from: 0, to: size }, parts)) {
        tasks.push({ phase: 'merge', left, right, output, from, to, fromScratch })
      }
      merged.push({ from: output, to: output + size })
      output += size
    }
    await Promise.all(tasks.map(work))
    ranges = merged
    fromScratch = !fromScratch
  }
  const { from, to } = ranges[0] ?? { from: 0, to: 0 }
  if (numbers instanceof Float64Array) {
    orderZeros(numbers.subarray(from, to))
    numbers.fill(Number.NaN, to)
  }
}

/** Does one task. Returns the end of the numbers that are not NaN for a run that it sorted, else 0. */
export function doSortTask({ numbers, scratch }: SortMemory, task: SortTask): number {
  if (task.phase === 'merge') {
    const [input, output] = task.fromScratch ? [scratch, numbers] : [numbers, scratch]
    mergePart(input, task.left, task.right, output.subarray(task.output), task.from, task.to)
    return 0
  }
  // A copy of its own: sorting in shared memory makes V8 copy, too, and then once more.
  const run = numbers.slice(task.from, task.to).sort()
  const output = task.toScratch ? scratch : numbers
  output.set(run as never, task.from)
  let { to } = task
  if (run instanceof Float64Array) while (to > task.from && Number.isNaN(run[to - task.from - 1])) to--
  return to
}

/** Writes the numbers from position `from` to `to` of the merge of two sorted ranges of `input` into `output`. */
function mergePart(input: Numbers, left: Range, right: Range, output: Numbers, from: number, to: number): void {
  const taken = mergePath(input, left, right, from)
  const takenAtEnd = mergePath(input, left, right, to)
  let i = left.from + taken
  let j = right.from + from - taken
  const iEnd = left.from + takenAtEnd
  const jEnd = right.from + to - takenAtEnd
  let at = from
  while (i < iEnd && j < jEnd) {
    const a = input[i] as number
    const b = input[j] as number
    // Which side wins is a coin toss: arithmetic instead of a branch that the processor would guess wrong half the time.
    const fromLeft = Number(a <= b)
    output[at++] = fromLeft ? a : b
    i += fromLeft
    j += 1 - fromLeft
  }
  output.set(input.subarray(i, iEnd) as never, at)
  output.set(input.subarray(j, jEnd) as never, at + iEnd - i)
}

/**
 * How many of the first `count` numbers of the merge come from the left range: where the merge path crosses a diagonal.
 * Equal numbers come from the left first.
 */
export function mergePath(input: Numbers, left: Range, right: Range, count: number): number {
  let low = Math.max(0, count - (right.to - right.from))
  let high = Math.min(count, left.to - left.from)
  while (low < high) {
    const middle = (low + high) >>> 1
    const isLeft = (input[left.from + middle] as number) <= (input[right.from + count - middle - 1] as number)
    if (isLeft) low = middle + 1
    else high = middle
  }
  return low
}

/** Puts −0 before 0 in numbers that are sorted except for that. */
function orderZeros(sorted: Float64Array): void {
  const from = lowerBound(sorted, (value) => value >= 0)
  const to = lowerBound(sorted, (value) => value > 0)
  let negative = 0
  for (let at = from; at < to; at++) if (Object.is(sorted[at], -0)) negative++
  sorted.fill(-0, from, from + negative).fill(0, from + negative, to)
}

/** The first position at which the condition holds; it must hold from there to the end. */
function lowerBound(values: Float64Array, holds: (value: number) => boolean): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(values[middle] as number)) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * Sorts by digits of eight bits instead of by comparisons: four passes over the numbers, however many there are. Only for
 * integers of 32 bits; needs as much memory again.
 */
export function radixSort(numbers: Int32Array): void {
  let input = numbers
  let output: Int32Array = new Int32Array(numbers.length)
  for (let shift = 0; shift < 32; shift += 8) {
    // The sign bit counts backwards: turned around, negative numbers come first.
    const flip = shift === 24 ? 0x80 : 0
    const next = new Uint32Array(257)
    for (let at = 0; at < input.length; at++) {
      const digit = (((input[at] as number) >>> shift) & 0xff) ^ flip
      next[digit + 1] = (next[digit + 1] as number) + 1
    }
    for (let digit = 0; digit < 256; digit++) next[digit + 1] = (next[digit + 1] as number) + (next[digit] as number)
    for (let at = 0; at < input.length; at++) {
      const value = input[at] as number
      const digit = ((value >>> shift) & 0xff) ^ flip
      const place = next[digit] as number
      output[place] = value
      next[digit] = place + 1
    }
    ;[input, output] = [output, input]
  }
}

/** Numbers to sort, the same for the same seed; every input that sorts are known to be bad at. */
export function fillNumbers(numbers: Int32Array | Float64Array, input: InputKind, seed: number): void {
  const random = integersFrom(seed)
  const { length } = numbers
  const special = [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const isFloat = numbers instanceof Float64Array
  for (let at = 0; at < length; at++) {
    if (input === 'sorted') numbers[at] = at
    else if (input === 'reversed') numbers[at] = length - at
    else if (input === 'few') numbers[at] = random() & 7
    else {
      const value = random()
      numbers[at] = !isFloat ? value : (value & 1023) === 0 ? (special[at % 5] as number) : value / 65_537
    }
  }
}

export const inputKinds = ['random', 'sorted', 'reversed', 'few'] as const
export type InputKind = (typeof inputKinds)[number]

/**
 * Merge sort on several threads over shared memory. Each worker sorts one run of the numbers; then the runs are merged
 * two by two until one is left. The merges are shared, too: the output is cut into equal parts, and for each part a
 * binary search (the merge path of Odeh, Green, Mwassi, Shmueli and Birk) finds which pieces of the two inputs belong
 * to it. So every worker is busy to the end.
 *
 * The order is that of TypedArray.prototype.sort: −0 before 0, NaN last. A comparison by `<=` gets both wrong. So NaN,
 * which is at the end of every sorted run, is left out of the merges and written after the result; and since −0 equals
 * 0, all zeros end up side by side and are put in order there.
 */
import { divide, type Range } from '@repo/common/async/ranges'
import { isFloat, type Numbers, type SortMemory } from './numbers.ts'

/** A piece of work for one worker; positions are [from, to). */
export type MergeSortTask =
  | { phase: 'sort'; from: number; to: number; toScratch: boolean }
  | { phase: 'merge'; left: Range; right: Range; output: number; from: number; to: number; fromScratch: boolean }

/**
 * Sorts `memory.numbers` in place.
 *
 * @param requested the number of runs to cut them into: one for each worker; never more than there are numbers
 * @param work has a worker that shares the memory do one task, by `doMergeSortTask`
 * @throws a RangeError, and changes nothing, if `runs` is not a whole number from 1; a RangeError if `work` does not answer
 *   what `doMergeSortTask` returns
 */
export async function parallelMergeSort(
  memory: SortMemory,
  requested: number,
  work: (task: MergeSortTask) => Promise<number>,
): Promise<void> {
  if (!Number.isInteger(requested) || requested < 1)
    throw new RangeError(`runs: received ${requested}; accepts a whole number from 1`)
  const { numbers } = memory
  const runs = Math.max(1, Math.min(requested, numbers.length))
  // Start on the side from which the last merge ends in `numbers`.
  let fromScratch = Math.ceil(Math.log2(runs)) % 2 === 1
  const sorting = divide({ from: 0, to: numbers.length }, runs).map(async ({ from, to }) => {
    const end = await work({ phase: 'sort', from, to, toScratch: fromScratch })
    if (Number.isInteger(end) && end >= from && end <= to) return { from, to: end }
    throw new RangeError(`work: received ${end} for a run; accepts where its NaN begin, from ${from} to ${to}`)
  })
  let ranges: Range[] = await Promise.all(sorting)

  while (ranges.length > 1) {
    const tasks: MergeSortTask[] = []
    const merged: Range[] = []
    const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    let output = 0
    for (let at = 0; at < ranges.length; at += 2) {
      const left = ranges[at] as Range
      const right = ranges[at + 1] ?? { from: left.to, to: left.to }
      const size = left.to - left.from + right.to - right.from
      // In proportion to its size, so that all tasks of a round take about the same time.
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
  if (isFloat(numbers)) {
    orderZeros(numbers.subarray(from, to))
    numbers.fill(Number.NaN, to)
  }
}

/** Does one task. Returns where the NaN begin in a run that it sorted, and 0 for a merge. */
export function doMergeSortTask({ numbers, scratch }: SortMemory, task: MergeSortTask): number {
  if (task.phase === 'merge') {
    const [input, output] = task.fromScratch ? [scratch, numbers] : [numbers, scratch]
    mergePart(input, task.left, task.right, output.subarray(task.output), task.from, task.to)
    return 0
  }
  // Sort a private copy: V8 copies shared memory to sort it, and then once more.
  const run = numbers.slice(task.from, task.to).sort()
  const output = task.toScratch ? scratch : numbers
  output.set(run as never, task.from)
  let { to } = task
  if (isFloat(run)) while (to > task.from && Number.isNaN(run[to - task.from - 1])) to--
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
    // Which side is smaller is a coin toss: arithmetic, instead of a branch that the processor mispredicts half the
    // time.
    const fromLeft = Number(a <= b)
    output[at++] = fromLeft ? a : b
    i += fromLeft
    j += 1 - fromLeft
  }
  output.set(input.subarray(i, iEnd) as never, at)
  output.set(input.subarray(j, jEnd) as never, at + iEnd - i)
}

/**
 * How many of the first `count` numbers of a merge come from the left range: where the merge path crosses a diagonal.
 * Of equal numbers, those on the left come first.
 */
// #region merge-path
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
// #endregion merge-path

/** Puts −0 before 0 in numbers that are sorted in every other respect. */
function orderZeros(sorted: Numbers): void {
  const from = lowerBound(sorted, (value) => value >= 0)
  const to = lowerBound(sorted, (value) => value > 0)
  let negative = 0
  for (let at = from; at < to; at++) if (Object.is(sorted[at], -0)) negative++
  sorted.fill(-0, from, from + negative).fill(0, from + negative, to)
}

/** The first position at which the condition holds. It must hold from there to the end. */
function lowerBound(values: Numbers, holds: (value: number) => boolean): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(values[middle] as number)) high = middle
    else low = middle + 1
  }
  return low
}

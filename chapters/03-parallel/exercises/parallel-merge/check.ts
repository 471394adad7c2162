/** Arrays that are cut wrongly, made as small as possible; then two long ones, and how much of them is read. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { callingLine, declaredAt, lastReading } from '@repo/exercises/line'
import fc from 'fast-check'

/** Positions of an array, from `from` to before `to`. */
export interface Range {
  from: number
  to: number
}

/** What one worker merges. */
export interface Part {
  left: Range
  right: Range
}

type Solution = typeof import('./exercise.ts')

interface Input {
  left: number[]
  right: number[]
  count: number
}

/** An element, and the array that it comes from. */
interface Tagged {
  value: number
  side: 'L' | 'R'
}

/** Not only whole numbers: there, `<= x` and `< x + 1` are the same. */
const number = fc.nat(3).map((value) => value / 2)
const sorted = fc.array(number, { maxLength: 8 }).map((values) => values.sort((a, b) => a - b))
const inputs: fc.Arbitrary<Input> = fc.record({ left: sorted, right: sorted, count: fc.integer({ min: 1, max: 5 }) })

export default exercise<Solution>({
  async check({ partsOf }) {
    // One property after the other, so that the answer is about one mistake.
    for (const wrong of [uncovered, outOfOrder, unstable, unbalanced]) {
      const fault = await counterexample(inputs, (input) => {
        const parts = partsOf([...input.left], [...input.right], input.count)
        const fault = wrong(input, parts)
        if (!fault) return undefined
        return { received: textOf(input, parts), line: decisiveLine(partsOf, input), ...fault }
      })
      if (fault) return fault
    }
    return slow(partsOf)
  },
})

/** An array that tells when one of its elements is read. */
const watched = (values: number[], onRead: () => void): number[] =>
  new Proxy(values, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) onRead()
      return Reflect.get(target, name) as unknown
    },
  })

/** The line that read the last element; if none was read, the one that asked for a length. */
function decisiveLine(partsOf: Solution['partsOf'], { left, right, count }: Input): number | undefined {
  let line: number | undefined
  const note = () => {
    line = callingLine() ?? line
  }
  partsOf(watched(left, note), watched(right, note), count)
  return line ?? lastReading([left, right], ([l, r]) => partsOf(l, r, count)) ?? declaredAt('partsOf')
}

const sizeOf = ({ from, to }: Range) => to - from
const show = ({ from, to }: Range) => `${from}–${to}`

function textOf({ left, right, count }: Input, parts: readonly Part[]): string {
  const text = parts.map((part) => `left ${show(part.left)} and right ${show(part.right)}`).join('; ')
  return `partsOf([${left}], [${right}], ${count}): ${text || 'nothing'}`
}

/** An element that is in no part, or in several. */
function uncovered({ left, right, count }: Input, parts: readonly Part[]): Fault | undefined {
  if (parts.length !== count) return { says: `It returns ${parts.length} parts instead of ${count}.` }
  for (const [side, length] of [
    ['left', left.length],
    ['right', right.length],
  ] as const) {
    let at = 0
    for (const { from, to } of parts.map((part) => part[side])) {
      if (from > at) return { says: 'An element is in no part.' }
      if (from < at) return { says: 'An element is in two parts.' }
      if (to < from) return { says: 'A part ends before it begins.' }
      at = to
    }
    if (at < length) return { says: 'An element is in no part.' }
    if (at > length) return { says: 'A part goes beyond the end of its array.' }
  }
  return undefined
}

/** Merges as each worker does: of equal elements, those on the left come first. */
function merge(left: readonly number[], right: readonly number[]): Tagged[] {
  const merged: Tagged[] = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    const isLeft = j === right.length || (i < left.length && left[i] <= right[j])
    merged.push(isLeft ? { value: left[i++], side: 'L' } : { value: right[j++], side: 'R' })
  }
  return merged
}

const together = ({ left, right }: Input, parts: readonly Part[]) =>
  parts.flatMap((part) => merge(left.slice(part.left.from, part.left.to), right.slice(part.right.from, part.right.to)))
const tags = (merged: readonly Tagged[]) => merged.map(({ side, value }) => `${side}${value}`).join(' ')

function outOfOrder(input: Input, parts: readonly Part[]): Fault | undefined {
  const merged = together(input, parts)
  if (merged.every(({ value }, at) => at === 0 || value >= merged[at - 1].value)) return undefined
  return {
    says: 'The merged parts, one after the other, are not sorted.',
    expected: tags(merge(input.left, input.right)),
    received: `${tags(merged)}, from ${textOf(input, parts)}`,
    why: 'No element of a part may be larger than any of the next part, from whichever array it comes.',
  }
}

function unstable(input: Input, parts: readonly Part[]): Fault | undefined {
  const [expected, merged] = [tags(merge(input.left, input.right)), tags(together(input, parts))]
  if (merged === expected) return undefined
  return {
    says: 'Of equal elements, one of the right array comes before one of the left.',
    expected,
    received: `${merged}, from ${textOf(input, parts)}`,
    why: 'Each part is merged stably, so it is the cut that separates equal elements in the wrong order.',
  }
}

function unbalanced(input: Input, parts: readonly Part[]): Fault | undefined {
  const sizes = parts.map(({ left, right }) => sizeOf(left) + sizeOf(right))
  if (Math.max(...sizes) - Math.min(...sizes) <= 1) return undefined
  return {
    says: 'The parts are not of the same size.',
    expected: 'sizes that differ by one at most',
    received: `sizes ${sizes.join(', ')}, from ${textOf(input, parts)}`,
    why: 'The merge is done when its largest part is.',
  }
}

/** Long arrays, of which a binary search reads little. */
function slow(partsOf: Solution['partsOf']): Fault | undefined {
  const length = 4_096
  const most = 400
  let reads = 0
  const count = () => void reads++
  const array = (step: number) =>
    watched(
      Array.from({ length }, (_, at) => step * at),
      count,
    )
  partsOf(array(2), array(3), 4)
  if (reads <= most) return undefined
  return {
    says: 'Finding the cuts takes about as long as the merge itself.',
    expected: `at most ${most} elements read, of ${2 * length}`,
    received: `${reads}`,
    line: declaredAt('partsOf'),
    why: 'A function that reads every element might as well merge them: a binary search finds a cut in about a dozen steps.',
  }
}

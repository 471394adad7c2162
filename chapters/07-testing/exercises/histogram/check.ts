/** Random values in several processes: their histograms are added and compared with the sorted list of all values. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { declaredAt, lastReading } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

export interface Histogram {
  /** The limits of the buckets, in ascending order. */
  readonly limits: readonly number[]
  /** How many values each bucket has, one more than there are limits: the last bucket has what exceeds them all. */
  readonly counts: number[]
}

interface Measured {
  limits: number[]
  /** What each process has measured. */
  processes: number[][]
  q: number
}

const measured: fc.Arbitrary<Measured> = fc.record({
  limits: fc.constantFrom([1], [1, 2], [2, 5, 10], [3], [1, 4, 9, 16], [7, 20]),
  processes: fc.array(fc.array(fc.nat(22), { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
  // They are binary fractions: their multiples are exact.
  q: fc.constantFrom(0.5, 0, 0.25, 0.75, 0.875, 1),
})

/** The bucket of a value, from 0. */
const bucketOf = (limits: readonly number[], value: number) => limits.filter((limit) => value > limit).length
const copyOf = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value
const text = ({ limits, counts }: Histogram) =>
  counts.map((count, at) => `${rangeText(limits, at)}: ${count}`).join(', ')
const rangeText = (limits: readonly number[], at: number) =>
  at < limits.length ? `≤ ${limits[at]}` : `> ${limits[at - 1]}`

function judge({ limits, processes, q }: Measured, { empty, record, add, quantile }: Solution): Fault | undefined {
  const histograms: Histogram[] = []
  for (const values of processes) {
    const histogram = empty(limits)
    for (const value of values) {
      const before = copyOf(histogram)
      record(histogram, value)
      const expected = {
        limits,
        counts: before.counts.map((count, at) => count + Number(at === bucketOf(limits, value))),
      }
      if (text(histogram) !== text(expected)) return recordedWrong(record, before, value, histogram, expected)
    }
    histograms.push(histogram)
  }

  const [first = empty(limits), ...others] = histograms.map(copyOf)
  let sum = first
  for (const other of others) {
    const before = [copyOf(sum), copyOf(other)] as const
    const given = [sum, other] as const
    sum = add(...given)
    const line = () => lastReading(before, (both) => add(...both)) ?? declaredAt('add')
    const [wasA, wasB] = before.map(text)
    for (const [at, name] of ['first', 'second'].entries()) {
      const [expected, received] = [text(before[at as 0 | 1]), text(given[at as 0 | 1])]
      const why = 'It belongs to a process that goes on counting: at the next scrape its values would be counted twice.'
      const says = 'add changes a histogram that it was given.'
      if (received !== expected)
        return { says, expected: `the ${name} one stays ${expected}`, received, line: line(), why }
    }
    const counts = before[0].counts.map((count, at) => count + (before[1].counts[at] ?? 0))
    const says = 'add loses or invents values.'
    if (text(sum) !== text({ limits, counts })) {
      return {
        says,
        expected: `${wasA} and ${wasB} make ${text({ limits, counts })}`,
        received: text(sum),
        line: line(),
      }
    }
  }

  const values = processes.flat().sort((a, b) => a - b)
  const received = quantile(sum, q)
  const line = () => lastReading([sum] as const, ([histogram]) => quantile(histogram, q)) ?? declaredAt('quantile')
  const value = values[Math.max(1, Math.ceil(q * values.length)) - 1]
  if (value === undefined) {
    if (received === undefined) return undefined
    return {
      says: 'quantile knows a quantile although there are no values.',
      expected: 'undefined',
      received: String(received),
      line: line(),
    }
  }
  const bucket = bucketOf(limits, value)
  const [above, upTo] = [limits[bucket - 1] ?? -1, limits[bucket] ?? Number.POSITIVE_INFINITY]
  if (received !== undefined && received > above && received <= upTo) return undefined
  return {
    says: 'quantile names a bucket that does not hold the quantile.',
    expected: `the quantile ${q} of [${values.join(', ')}] is ${value}, in the bucket ${rangeText(limits, bucket)}`,
    received: `${received}, from the counts ${text(sum)}`,
    line: line(),
  }
}

function recordedWrong(
  record: Solution['record'],
  before: Histogram,
  value: number,
  received: Histogram,
  expected: Histogram,
): Fault {
  const total = ({ counts }: Histogram) => counts.reduce((sum, count) => sum + count, 0)
  return {
    says:
      text(received) === text(before)
        ? value > (before.limits.at(-1) ?? 0)
          ? 'record does not count what exceeds all limits.'
          : 'record counts nothing.'
        : total(received) === total(expected)
          ? 'A value is counted in the wrong bucket.'
          : 'A value is not counted once.',
    expected: `after ${value}: ${text(expected)}`,
    received: text(received),
    line: lastReading(before.limits, (limits) => record({ ...copyOf(before), limits }, value)) ?? declaredAt('record'),
  }
}

/** No sum of different buckets is right. */
function acceptsAnything(add: Solution['add']): Fault | undefined {
  const [a, b, longer]: [Histogram, Histogram, Histogram] = [
    { limits: [1, 2], counts: [1, 0, 0] },
    { limits: [1, 5], counts: [0, 1, 0] },
    { limits: [1, 2, 5], counts: [0, 1, 0, 0] },
  ]
  for (const both of [
    [a, b],
    [a, longer],
    [longer, a],
    // As many limits, and the same last one or the same digits.
    [b, { ...b, limits: [2, 5] }],
    [
      { ...a, limits: [1, 25] },
      { ...a, limits: [12, 5] },
    ],
  ] satisfies [Histogram, Histogram][]) {
    const expected = `a RangeError for ${both.map(text).join(' and ')}`
    let received: string
    try {
      received = text(add(...both))
    } catch (error) {
      if (error instanceof RangeError) continue
      received = String(error)
    }
    return { says: 'add accepts histograms with different limits.', expected, received, line: declaredAt('add') }
  }
  return undefined
}

export default exercise<Solution>({
  check: async (solution) =>
    (await counterexample(measured, (each) => judge(each, solution))) ?? acceptsAnything(solution.add),
})

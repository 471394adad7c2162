import { expect, it } from 'vitest'
import { largest, smallest } from '../src/extremes.ts'

it.each([[[]], [[3]], [[2, -5, 9, 0]], [[1, Number.NaN, 2]], [[-Infinity, Infinity]], [[-0, 0]]])(
  'the extremes of %j are those of Math',
  (numbers) => {
    expect(largest(numbers)).toBe(Math.max(...numbers))
    expect(smallest(numbers)).toBe(Math.min(...numbers))
  },
)

it('are found in a list that is too long to be arguments', () => {
  const numbers = Array.from({ length: 1_000_000 }, (_, at) => (at * 7_919) % 1_000_003)
  expect(() => Math.max(...numbers)).toThrow(RangeError)
  expect([smallest(numbers), largest(numbers)]).toEqual([0, 1_000_002])
})

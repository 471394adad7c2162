import { expect, it } from 'vitest'
import work, { fib, fibByLoop } from '../../src/fib/fib.ts'

it.each([fib, fibByLoop])('%o knows its Fibonacci numbers', (fib) => {
  expect(Array.from({ length: 11 }, (_, n) => fib(n))).toEqual([0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55])
})

it('knows the largest that is exact, by the loop', () => {
  expect(fibByLoop(78)).toBe(8_944_394_323_791_464)
})

it.each([-1, 0.5, Number.NaN])('refuses %s as a task', (n) => {
  expect(() => work(n)).toThrow(new RangeError(`there is no fib(${n})`))
})

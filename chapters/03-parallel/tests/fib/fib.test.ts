import { expect, it } from 'vitest'
import work, { fib } from '../../src/fib/fib.ts'

it('knows its Fibonacci numbers', () => {
  expect(Array.from({ length: 11 }, (_, n) => fib(n))).toEqual([0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55])
})

it.each([-1, 0.5, Number.NaN])('refuses %s as a task', (n) => {
  expect(() => work(n)).toThrow(new RangeError(`there is no fib(${n})`))
})

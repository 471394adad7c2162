/** The slowest way to compute a Fibonacci number, work that needs nothing but processor time; and the fastest. */

/** fib(0) = 0, fib(1) = 1. Each n takes about 1.6 times as long as the one before. */
// #region fib
export function fib(n: number): number {
  return n < 2 ? n : fib(n - 1) + fib(n - 2)
}
// #endregion fib

/** The same by a loop of n additions. Exact up to n = 78, as any number in JavaScript. */
// #region by-loop
export function fibByLoop(n: number): number {
  let [current, next] = [0, 1]
  for (let at = 0; at < n; at++) [current, next] = [next, current + next]
  return current
}
// #endregion by-loop

/** A pool's task: fib(n). Throws a RangeError if n is not a whole number from 0. */
export default function work(n: number): number {
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`there is no fib(${n})`)
  return fib(n)
}

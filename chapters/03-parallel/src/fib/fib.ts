/** The slowest way to a Fibonacci number: work that takes nothing but processor time. */

/** fib(0) = 0, fib(1) = 1; takes about 1.6 times as long for each next n. */
export function fib(n: number): number {
  return n < 2 ? n : fib(n - 1) + fib(n - 2)
}

/** For a worker: fib(n), or an error for what is no number of the sequence. */
export default function work(n: number): number {
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`there is no fib(${n})`)
  return fib(n)
}

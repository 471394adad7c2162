/**
 * Counting primes by trial division: work that can be cut anywhere, and whose pieces of one size are not equally long:
 * the larger the numbers, the more divisors have to be tried.
 */

import { setImmediate } from 'node:timers/promises'
import { divide } from '@repo/common/async/ranges'

/** How many primes there are in [from, to). */
export function countPrimes(from: number, to: number): number {
  let primes = from <= 2 && to > 2 ? 1 : 0
  candidates: for (let candidate = Math.max(3, from | 1); candidate < to; candidate += 2) {
    for (let divisor = 3; divisor * divisor <= candidate; divisor += 2) {
      if (candidate % divisor === 0) continue candidates
    }
    primes++
  }
  return primes
}

/** How many primes there are below a limit, counted on the thread that asks, in pieces between which it hears Ctrl-C. */
export async function countPrimesHere(limit: number, signal?: AbortSignal): Promise<number> {
  let primes = 0
  for (const { from, to } of divide({ from: 0, to: limit }, Math.ceil(limit / 100_000))) {
    primes += countPrimes(from, to)
    await setImmediate(undefined, { signal })
  }
  return primes
}

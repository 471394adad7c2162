/**
 * Counting primes by trial division: work that can be cut anywhere, and whose pieces of one size are not equally long:
 * the larger the numbers, the more divisors have to be tried.
 */

import { setImmediate } from 'node:timers/promises'
import { divide } from '@repo/common/async/ranges'
import { countPrimes } from '@repo/common/workloads/primes'

/** How many primes there are below a limit, counted on the thread that asks, in pieces between which it hears Ctrl-C. */
export async function countPrimesHere(limit: number, signal?: AbortSignal): Promise<number> {
  let primes = 0
  for (const { from, to } of divide({ from: 0, to: limit }, Math.ceil(limit / 100_000))) {
    primes += countPrimes(from, to)
    await setImmediate(undefined, { signal })
  }
  return primes
}

/**
 * Counts primes by trial division, which is slow on purpose: work for a processor that can be cut anywhere. Pieces of
 * equal length take different times, because larger numbers need more divisions.
 */

/** Returns the number of primes in [from, to). */
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

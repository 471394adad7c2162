/**
 * Counting primes by trial division: work that can be cut anywhere, and whose pieces of one size are not equally long:
 * the larger the numbers, the more divisors have to be tried.
 */

/** How many primes there are in [from, to). */
export function countPrimes(from: number, to: number): number {
  let primes = 0
  for (let candidate = Math.max(2, from); candidate < to; candidate++) if (isPrime(candidate)) primes++
  return primes
}

function isPrime(candidate: number): boolean {
  if (candidate % 2 === 0) return candidate === 2
  for (let divisor = 3; divisor * divisor <= candidate; divisor += 2) if (candidate % divisor === 0) return false
  return true
}

/** Counting primes, in two ways that can be cut anywhere. */

/**
 * Returns the number of primes in [from, to), by trial division: slow on purpose, work for a processor. Pieces of equal
 * length take different times, because larger numbers need more divisions.
 */
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

/** Odd numbers in a segment of the sieve, a byte for each: as much as a core's own cache holds. */
const segment = 1 << 16

/** Returns the number of primes in [from, to), by the sieve of Eratosthenes, segment by segment: the fast way. */
export function sievePrimes(from: number, to: number): number {
  const divisors = oddPrimes(Math.floor(Math.sqrt(Math.max(0, to - 1))))
  // Index i of the first segment stands for first + 2i. `next` has the index of each divisor's next odd multiple.
  const first = Math.max(3, from | 1)
  const next = divisors.map((divisor) => {
    const multiple = Math.max(divisor, Math.ceil(first / divisor)) * divisor
    return (multiple + (multiple % 2 === 0 ? divisor : 0) - first) / 2
  })
  const composite = new Uint8Array(segment)
  let primes = from <= 2 && to > 2 ? 1 : 0
  for (let low = first; low < to; low += 2 * segment) {
    const length = Math.min(segment, Math.ceil((to - low) / 2))
    composite.fill(0, 0, length)
    for (let at = 0; at < divisors.length; at++) {
      const divisor = divisors[at]
      let index = next[at]
      for (; index < length; index += divisor) composite[index] = 1
      next[at] = index - length
    }
    for (let index = 0; index < length; index++) primes += 1 - composite[index]
  }
  return primes
}

/** The odd primes up to `last`. */
function oddPrimes(last: number): Int32Array {
  const composite = new Uint8Array(last + 1)
  const primes: number[] = []
  for (let number = 3; number <= last; number += 2) {
    if (composite[number] === 1) continue
    primes.push(number)
    for (let multiple = number * number; multiple <= last; multiple += 2 * number) composite[multiple] = 1
  }
  return Int32Array.from(primes)
}

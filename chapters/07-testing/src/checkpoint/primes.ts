/**
 * A long computation whose result can be looked up: the number of primes and of pairs of twin primes below a limit, and
 * the largest gap between two primes. It is a sieve of Eratosthenes, one segment after another. Between two segments,
 * its whole state is six numbers.
 */
import { z } from 'zod'

// #region state
/** Everything that is needed to resume. All numbers below `next` are done. */
export const primesState = z.object({
  next: z.int().nonnegative(),
  primes: z.int().nonnegative(),
  /** Pairs p, p + 2, both prime and below `next`. */
  twins: z.int().nonnegative(),
  /** The largest gap between two consecutive primes below `next`, and the prime before its first occurrence. */
  gap: z.int().nonnegative(),
  gapAfter: z.int().nonnegative(),
  /** The largest prime below `next`; 0 if there is none yet. */
  last: z.int().nonnegative(),
})
// #endregion state
export type PrimesState = z.infer<typeof primesState>

export const noPrimes: PrimesState = { next: 0, primes: 0, twins: 0, gap: 0, gapAfter: 0, last: 0 }

/** Published counts below powers of ten: OEIS A006880 and A007508; maximal gaps: A002386, A005250. */
export const publishedPrimes: Record<number, Pick<PrimesState, 'primes' | 'twins' | 'gap' | 'gapAfter'>> = {
  1e6: { primes: 78_498, twins: 8_169, gap: 114, gapAfter: 492_113 },
  1e7: { primes: 664_579, twins: 58_980, gap: 154, gapAfter: 4_652_353 },
  1e8: { primes: 5_761_455, twins: 440_312, gap: 220, gapAfter: 47_326_693 },
  1e9: { primes: 50_847_534, twins: 3_424_506, gap: 282, gapAfter: 436_273_009 },
  1e10: { primes: 455_052_511, twins: 27_412_679, gap: 354, gapAfter: 4_302_407_359 },
  1e11: { primes: 4_118_054_813, twins: 224_376_048, gap: 464, gapAfter: 42_652_618_343 },
}

/** The size of a segment. Each odd number takes a byte, so that a segment fits into a core's cache. */
const segmentLength = 1 << 19

/** Returns a function that sieves the next segment: it takes a state below the limit and returns the next state. */
export function primesBelow(limit: number): (state: PrimesState) => PrimesState {
  const divisors = oddPrimesUpTo(Math.floor(Math.sqrt(limit)))
  const composite = new Uint8Array(segmentLength / 2)

  return ({ next: from, ...state }) => {
    // Segments begin at even numbers: byte i stands for from + 2i + 1.
    const to = Math.min(from + segmentLength, limit)
    const odds = Math.ceil((to - from - 1) / 2)
    composite.fill(0)
    for (const prime of divisors) {
      if (prime * prime >= to) break
      const multiple = Math.max(prime * prime, Math.ceil(from / prime) * prime)
      const odd = multiple % 2 === 0 ? multiple + prime : multiple
      for (let at = (odd - from - 1) / 2; at < odds; at += prime) composite[at] = 1
    }
    let { primes, twins, gap, gapAfter, last } = state
    const take = (prime: number) => {
      primes++
      if (prime - last === 2 && last > 0) twins++
      if (last > 0 && prime - last > gap) {
        gap = prime - last
        gapAfter = last
      }
      last = prime
    }
    if (from === 0) {
      composite[0] = 1
      if (to > 2) take(2)
    }
    for (let at = 0; at < odds; at++) if (composite[at] === 0) take(from + 2 * at + 1)
    return { next: to, primes, twins, gap, gapAfter, last }
  }
}

function oddPrimesUpTo(largest: number): number[] {
  const composite = new Uint8Array(largest + 1)
  const primes: number[] = []
  for (let at = 3; at <= largest; at += 2) {
    if (composite[at] === 1) continue
    primes.push(at)
    for (let multiple = at * at; multiple <= largest; multiple += 2 * at) composite[multiple] = 1
  }
  return primes
}

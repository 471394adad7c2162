/** Work for a processor: counting primes by trial division, which is slow on purpose. */
import { setImmediate } from 'node:timers/promises'
import { countPrimes as countBetween } from '@repo/common/workloads/primes'

export interface PrimesArgs {
  below: number
  leastMs: number
}

/**
 * How many primes there are below `below`.
 *
 * @param leastMs counts again and again until so long has passed, however fast the machine is at that moment
 */
export function countPrimes(below: number, leastMs = 0): number {
  const begin = performance.now()
  for (;;) {
    const primes = countBetween(2, below)
    if (performance.now() - begin >= leastMs) return primes
  }
}

/**
 * The same in slices, so that the event loop gets its turn between two of them.
 *
 * @param sliceMs about how long the event loop is held up at a time
 */
export async function countPrimesInSlices(
  below: number,
  { sliceMs, leastMs = 0, signal }: { sliceMs: number; leastMs?: number; signal?: AbortSignal },
): Promise<number> {
  const end = performance.now() + leastMs
  let primes = 0
  let from = 2
  // A number of candidates that takes far less than a slice, so that the clock is asked often enough and not too often.
  const step = 500
  for (;;) {
    const begin = performance.now()
    while (from < below && performance.now() - begin < sliceMs) {
      primes += countBetween(from, Math.min(from + step, below))
      from += step
    }
    if (from >= below && performance.now() >= end) return primes
    if (from >= below) [primes, from] = [0, 2]
    // Not a promise that is there already: those are seen to before anything from outside.
    await setImmediate(undefined, { signal })
  }
}

/** A `below` for which `countPrimes` takes this process about so long. */
export function belowFor(ms: number): number {
  let below = 20_000
  for (;;) {
    // The fastest of three: any of them may be held up.
    const tookMs = Math.min(...Array.from({ length: 3 }, () => timeOf(below)))
    // The time grows with the power of 3/2, nearly.
    const next = below * (ms / tookMs) ** (2 / 3)
    if (tookMs > ms / 20) return Math.round(next)
    below = Math.min(next, below * 4)
  }
}

function timeOf(below: number): number {
  const begin = performance.now()
  countPrimes(below)
  return performance.now() - begin
}

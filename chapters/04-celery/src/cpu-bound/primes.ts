/** Work for a processor: counting primes by trial division, which is slow on purpose. */
import { setImmediate } from 'node:timers/promises'
import { countPrimes as countBetween } from '@repo/common/workloads/primes'

export interface PrimesArgs {
  below: number
  leastMs: number
}

/**
 * Returns how many primes there are below `below`.
 *
 * @param leastMs counts again and again until this time has passed, however fast the machine is at that moment
 */
export function countPrimes(below: number, leastMs = 0): number {
  const begin = performance.now()
  for (;;) {
    const primes = countBetween(2, below)
    if (performance.now() - begin >= leastMs) return primes
  }
}

/**
 * The same in slices; between two of them the event loop gets its turn.
 *
 * @param sliceMs about how long the event loop is blocked at a time
 */
export async function countPrimesInSlices(
  below: number,
  { sliceMs, leastMs = 0, signal }: { sliceMs: number; leastMs?: number; signal?: AbortSignal },
): Promise<number> {
  const end = performance.now() + leastMs
  let primes = 0
  let from = 2
  // This many candidates take far less than a slice: the clock is read often enough, and not too often.
  const step = 500
  // #region slices
  for (;;) {
    const begin = performance.now()
    while (from < below && performance.now() - begin < sliceMs) {
      primes += countBetween(from, Math.min(from + step, below))
      from += step
    }
    if (from >= below && performance.now() >= end) return primes
    if (from >= below) [primes, from] = [0, 2]
    // A promise that is already fulfilled would not do: it goes on before anything from outside is handled.
    await setImmediate(undefined, { signal })
  }
  // #endregion slices
}

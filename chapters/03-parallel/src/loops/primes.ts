/** The serial version of counting primes, for comparison. */
import { setImmediate } from 'node:timers/promises'
import { divide } from '@repo/common/async/ranges'
import { countPrimes } from '@repo/common/workloads/primes'

/** Counts the primes below a limit on the calling thread, in pieces, so that Ctrl-C is heard in between. */
export async function countPrimesHere(limit: number, signal?: AbortSignal): Promise<number> {
  let primes = 0
  for (const { from, to } of divide({ from: 0, to: limit }, Math.ceil(limit / 100_000))) {
    primes += countPrimes(from, to)
    await setImmediate(undefined, { signal })
  }
  return primes
}

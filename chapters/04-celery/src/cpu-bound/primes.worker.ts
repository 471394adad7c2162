/** Counts primes off the main thread. */
import { countPrimes, type PrimesArgs } from './primes.ts'

export default ({ below, leastMs }: PrimesArgs) => countPrimes(below, leastMs)

/** Counts primes off the main thread. */
import { countPrimes } from './primes.ts'

export default ({ below }: { below: number }) => countPrimes(below)

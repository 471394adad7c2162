/**
 * From which size on it pays to have numbers sorted elsewhere: a model made of four measured rates.
 *
 *     one process:  n log₂ n · sort
 *     h hosts:      n · client  +  n/h · worker  +  n/h log₂(n/h) · sort  +  n ⌈log₂ h⌉ · merge
 *
 * All numbers pass the client's connection twice, one after the other; that, and the last merge, do not become less with more
 * hosts. Overlap is left out, so a real run may be somewhat better.
 */

/** Nanoseconds for each number. */
export interface Rates {
  /** Times log₂ of how many are sorted together. */
  sort: number
  /** For each level of merging. */
  merge: number
  /** For the client to send and receive it, */
  client: number
  /** and for the worker. */
  worker: number
}

export const oneProcessMs = ({ sort }: Rates, n: number) => (n * Math.log2(n) * sort) / 1e6

export function hostsMs({ sort, merge, client, worker }: Rates, n: number, hosts: number): number {
  const share = n / hosts
  const each = client + (worker + Math.log2(share) * sort) / hosts + Math.ceil(Math.log2(hosts)) * merge
  return (n * each) / 1e6
}

/** The same with a network between client and hosts that carries so many bits per second, where that is slower. */
export function withNetwork(rates: Rates, bitsPerSecond: number): Rates {
  // Four bytes there and four back.
  const wire = (64 * 1e9) / bitsPerSecond
  return { ...rates, client: Math.max(rates.client, wire), worker: Math.max(rates.worker, wire) }
}

const largest = 2 ** 36

/** The smallest power of two from which on the hosts are faster; undefined when they are not up to 2³⁶ numbers. */
export function breakEven(rates: Rates, hosts: number): number | undefined {
  for (let n = 2 ** 10; n <= largest; n *= 2) if (hostsMs(rates, n, hosts) < oneProcessMs(rates, n)) return n
  return undefined
}

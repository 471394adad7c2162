/**
 * At which size it pays to have numbers sorted elsewhere: a model made of four measured rates.
 *
 *     one process:  n log₂ n · sort
 *     h hosts:      n · client  +  n/h · worker  +  n/h log₂(n/h) · sort  +  n ⌈log₂ h⌉ · merge
 *
 * All numbers pass the client's connection twice, one after the other. That cost and the last merge do not shrink with
 * more hosts. The model ignores overlap, so a real run may be somewhat faster.
 */
import { median } from '@repo/common/measure'
import { busyMs, type Lanes } from './ways.ts'

/** Nanoseconds for each number. */
export interface Rates {
  /** To be multiplied by log₂ of how many are sorted together. */
  sort: number
  /** For each level of merging. */
  merge: number
  /** For the client to send and receive it. */
  client: number
  /** For the worker to receive and send it. */
  worker: number
}

/**
 * The rates of a machine: of sorting and merging in one process with a core to itself, and of transfers.
 *
 * @param lanes of each run by reference
 */
export function ratesOf(
  lanes: readonly Lanes[],
  { n, chunks, typedArrayMs, mergeMs }: { n: number; chunks: number; typedArrayMs: number; mergeMs: number },
): Rates {
  const transfers = lanes.map((each) => {
    const [client = 0, ...workers] = [...each.values()].map((spans) => busyMs(spans, 'send', 'receive'))
    return { client, worker: workers.reduce((sum, ms) => sum + ms, 0) }
  })
  const each = (ms: number) => (ms * 1e6) / n
  return {
    sort: each(typedArrayMs) / Math.log2(n),
    merge: each(mergeMs) / Math.max(1, Math.ceil(Math.log2(chunks))),
    client: each(median(transfers.map(({ client }) => client))),
    worker: each(median(transfers.map(({ worker }) => worker))),
  }
}

export const oneProcessMs = ({ sort }: Rates, n: number) => (n * Math.log2(n) * sort) / 1e6

export function hostsMs({ sort, merge, client, worker }: Rates, n: number, hosts: number): number {
  const share = n / hosts
  const each = client + (worker + Math.log2(share) * sort) / hosts + Math.ceil(Math.log2(hosts)) * merge
  return (n * each) / 1e6
}

/** The rates with a network between client and hosts, where the network is the slower part. */
export function withNetwork(rates: Rates, bitsPerSecond: number): Rates {
  // Four bytes there and four back.
  const wire = (64 * 1e9) / bitsPerSecond
  return { ...rates, client: Math.max(rates.client, wire), worker: Math.max(rates.worker, wire) }
}

const largest = 2 ** 36

/** The smallest power of two at which the hosts are faster; undefined if they are not for up to 2³⁶ numbers. */
export function breakEven(rates: Rates, hosts: number): number | undefined {
  for (let n = 2 ** 10; n <= largest; n *= 2) if (hostsMs(rates, n, hosts) < oneProcessMs(rates, n)) return n
  return undefined
}

const networks = { 'as measured here': undefined, '10 Gbit/s': 10e9, '1 Gbit/s': 1e9 }
export const hostCounts = [2, 4, 8, 16]

/** The break-even of each number of hosts, on each network. */
export function breakEvens(rates: Rates) {
  return Object.entries(networks).map(([network, bitsPerSecond]) => {
    const there = bitsPerSecond === undefined ? rates : withNetwork(rates, bitsPerSecond)
    return { network, from: hostCounts.map((hosts) => ({ hosts, n: breakEven(there, hosts) ?? null })) }
  })
}

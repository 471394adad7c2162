/**
 * When it pays to have work on numbers done elsewhere: a model made of measured rates. For n numbers that each need some
 * `computing` on one thread, of which h hosts take a share each:
 *
 *     one thread:  n · computing
 *     h hosts:     n · client  +  n/h · worker  +  n/h · computing  +  n ⌈log₂ h⌉ · merge
 *
 * All numbers pass the client's connection twice, one after the other. That cost and the last merge do not shrink with
 * more hosts. All of it grows in proportion to n, as a radix sort does: if h hosts do not pay for a million numbers, they
 * pay for no number of them. The model ignores overlap, so a real run may be somewhat faster.
 */
import { median } from '@repo/common/measure'
import { busyMs, type Lanes } from './ways.ts'

/** Nanoseconds for each number. */
export interface Rates {
  /** To sort it on one thread. */
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
  { n, chunks, bestSerialMs, mergeMs }: { n: number; chunks: number; bestSerialMs: number; mergeMs: number },
): Rates {
  const transfers = lanes.map((each) => {
    const [client = 0, ...workers] = [...each.values()].map((spans) => busyMs(spans, 'send', 'receive'))
    return { client, worker: workers.reduce((sum, ms) => sum + ms, 0) }
  })
  const each = (ms: number) => (ms * 1e6) / n
  return {
    sort: each(bestSerialMs),
    merge: each(mergeMs) / Math.max(1, Math.ceil(Math.log2(chunks))),
    client: each(median(transfers.map(({ client }) => client))),
    worker: each(median(transfers.map(({ worker }) => worker))),
  }
}

// #region model
/** Nanoseconds for each number on several hosts, if it needs `computing` ns on one thread. */
export function onHosts({ merge, client, worker }: Rates, hosts: number, computing: number): number {
  return client + (worker + computing) / hosts + Math.ceil(Math.log2(hosts)) * merge
}

/** If a number needs more computing than this, in ns on one thread, two or more hosts are faster. */
export function breakEven(rates: Rates, hosts: number): number {
  return onHosts(rates, hosts, 0) / (1 - 1 / hosts)
}

/** The rates with a network between client and hosts, where the network is the slower part. */
export function withNetwork(rates: Rates, bitsPerSecond: number): Rates {
  // Four bytes there and four back.
  const wire = (64 * 1e9) / bitsPerSecond
  return { ...rates, client: Math.max(rates.client, wire), worker: Math.max(rates.worker, wire) }
}
// #endregion model

const networks = { 'as measured here': undefined, '10 Gbit/s': 10e9, '1 Gbit/s': 1e9 }
export const hostCounts = [2, 4, 8, 16]

/** The break-even of each number of hosts, on each network. */
export function breakEvens(rates: Rates) {
  return Object.entries(networks).map(([network, bitsPerSecond]) => {
    const there = bitsPerSecond === undefined ? rates : withNetwork(rates, bitsPerSecond)
    return { network, computingNs: hostCounts.map((hosts) => ({ hosts, ns: breakEven(there, hosts) })) }
  })
}

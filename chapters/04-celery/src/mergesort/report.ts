/** What the example `mergesort` makes of its measurements: rates, the model's table, and the picture. */

import { median } from '@repo/common/measure'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import type { CeleryResult } from './celery.ts'
import { breakEven, type Rates, withNetwork } from './model.ts'
import { busyMs, type Sorting } from './ways.ts'

export const labels = { json: 'numbers in the message, JSON', bytes: 'bytes by reference' } as const
export type WayName = keyof typeof labels

/**
 * What each number costs: to sort and merge it, in one process that has a core to itself; and to transfer it, as medians
 * over the runs by reference.
 */
export function ratesOf(
  runs: readonly Sorting[],
  { n, chunks, typedArrayMs, mergeMs }: { n: number; chunks: number; typedArrayMs: number; mergeMs: number },
): Rates {
  const transfers = runs.map(({ lanes }) => {
    const [client = 0, ...workers] = [...lanes.values()].map((spans) => busyMs(spans, 'send', 'receive'))
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

/** For the row of each. */
const networks = { 'as measured here': undefined, '10 Gbit/s': 10e9, '1 Gbit/s': 1e9 }
const hostCounts = [2, 4, 8, 16]

/** From how many numbers on so many hosts are faster than one process, by the model: a row for each network. */
export function breakEvens(rates: Rates) {
  return Object.entries(networks).map(([network, bitsPerSecond]) => {
    const there = bitsPerSecond === undefined ? rates : withNetwork(rates, bitsPerSecond)
    return { network, from: hostCounts.map((hosts) => ({ hosts, n: breakEven(there, hosts) ?? null })) }
  })
}

/** The processes of each way on one axis, each way from its own beginning. Returns SVG text. */
export async function drawWays(ways: { name: WayName; run: Sorting }[], n: number): Promise<string> {
  const { timeline } = await import('@repo/common/output/timeline')
  const rows = ways.flatMap(({ name, run }) => {
    const start = Math.min(...[...run.lanes.values()].flat().map(({ begin }) => begin))
    return [...run.lanes].map(([process, spans], at) => ({
      name: `${name}: ${at === 0 ? process : `worker ${at}`}`,
      spans: spans.map(({ doing, begin, end }) => ({ kind: doing, from: begin - start, to: end - start })),
    }))
  })
  const sizes = ways.map(({ name, run }) => `${bytes(run.bytes)} as ${name}`).join(', ')
  return timeline({
    title: `${count(n)} integers sorted by worker processes`,
    subtitle: `each way from its beginning; ${sizes}. Gaps: waiting, and turning numbers into JSON and back`,
    kinds: { send: {}, receive: {}, sort: {}, merge: {} },
    rows,
  })
}

/** What each way took, as a table. */
export function describeWays({
  ways,
  localMs,
  typedArrayMs,
}: {
  ways: { name: WayName; ms: number; speedup: number; bytes: number; computeToTransfer: number }[]
  localMs: number
  typedArrayMs: number
}): string {
  const best = Math.min(localMs, typedArrayMs)
  return table(
    ['', 'time', 'speedup', 'sent', 'computing : the rest'],
    [
      ['TypedArray.sort, here', milliseconds(typedArrayMs), times(best / typedArrayMs), '', ''],
      ['the same chunks and merges, here', milliseconds(localMs), times(best / localMs), '', ''],
      ...ways.map((way) => [
        labels[way.name],
        milliseconds(way.ms),
        times(way.speedup),
        bytes(way.bytes),
        `1 : ${(1 / way.computeToTransfer).toFixed(1)}`,
      ]),
    ],
  )
}

/** What each number costs, and from how many numbers on it pays to have hosts sort them. */
export function describeRates(rates: Rates, n: number, chunks: number): string[] {
  const { sort, merge, client, worker } = rates
  const ns = (value: number) => `${value.toFixed(1)} ns`
  const sorting = sort * Math.log2(Math.max(2, n / chunks))
  return [
    `By reference each number costs the client's connection ${ns(client)} and a worker's ${ns(worker)}, a level of merging ${ns(merge)},`,
    `and sorting it among ${count(Math.floor(n / chunks))} costs ${ns(sorting)}. With these rates so many hosts win from:`,
    table(
      ['network', ...hostCounts.map((hosts) => `${hosts} hosts`)],
      breakEvens(rates).map(({ network, from }) => [
        network,
        ...from.map(({ n }) => (n === null ? 'never' : `2^${Math.log2(n)}`)),
      ]),
    ),
  ]
}

/** Our ways beside Celery's, as lines with a table. */
export function describeCelery(
  { version, book, plain }: CeleryResult,
  workers: number,
  ways: { name: WayName; ms: number }[],
): string[] {
  const rows = [
    ['a task that calls itself, as in the book', book],
    ['a task that calls a plain function', plain],
  ] as const
  return [
    `Celery ${version}, the same in Python with ${workers} processes:`,
    table(
      ['', 'time', 'alone, without workers', ...ways.map(({ name }) => `our ${name}`)],
      rows.map(([label, { ms, localMs }]) => [
        label,
        milliseconds(ms),
        localMs === undefined ? '' : milliseconds(localMs),
        ...ways.map((way) => `${times(ms / way.ms)} as fast`),
      ]),
    ),
  ]
}

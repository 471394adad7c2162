/** What `mergesort` accepts, and how it presents what it measured: tables and a picture. */
import { UsageError } from '@repo/common/example/usage'
import type { Timing } from '@repo/common/measure'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import type { CeleryResult } from './celery.ts'
import { breakEvens, hostCounts, type Rates } from './model.ts'
import { cut, type Numbers } from './sort.ts'
import { computingMs, type Lanes } from './ways.ts'

export const labels = { json: 'numbers in the message, JSON', bytes: 'bytes by reference' } as const
export type WayName = keyof typeof labels

export interface WayResult {
  name: WayName
  ms: number
  /** Against the faster of the two ways to sort here. */
  speedup: number
  /** Sent to the workers, without what surrounds the numbers; about as much came back. */
  bytes: number
  computeToTransfer: number
}

const mostInMessages = 10_000_000
/** What one number takes at worst in this process, the workers and Redis together. */
const bytesEach = { json: 200, bytes: 60 }

/** @throws UsageError for numbers that do not fit together, or not into the free memory */
export function requireRoom({ n, chunks, ways }: { n: number; chunks: number; ways: readonly WayName[] }): void {
  if (chunks > n) throw new UsageError('--chunks', chunks, `a whole number from 1 to ${n}, the numbers`)
  if (ways.includes('json') && n > mostInMessages) {
    throw new UsageError('--ways', ways, `bytes alone for more than ${count(mostInMessages)} numbers`)
  }
  const available = process.availableMemory()
  const most = Math.floor(available / Math.max(...ways.map((name) => bytesEach[name])))
  if (n > most) throw new UsageError('--n', n, `at most ${most} here: ${bytes(available)} of memory are free`)
}

/** @param lanes of each run, the last of which is looked at; `bestMs` is the fastest sort here */
export function resultOf(
  name: WayName,
  { ms, samplesMs }: Timing,
  { lanes, bestMs, numbers, chunks }: { lanes: Lanes[]; bestMs: number; numbers: Numbers; chunks: number },
): WayResult {
  const jsonBytes = () => cut(numbers, chunks).reduce((sum, run) => sum + JSON.stringify(Array.from(run)).length, 0)
  const computing = computingMs(lanes.at(-1) ?? new Map())
  const rest = (samplesMs.at(-1) ?? 0) - computing
  return {
    name,
    ms,
    speedup: bestMs / ms,
    bytes: name === 'json' ? jsonBytes() : numbers.byteLength,
    computeToTransfer: computing / Math.max(0.001, rest),
  }
}

/** What each way took, as a table. */
export function describeWays(
  ways: readonly WayResult[],
  { localMs, typedArrayMs }: { localMs: number; typedArrayMs: number },
): string {
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

/** What each number costs, and the sizes at which it pays to have hosts sort them: lines with a table. */
export function describeRates(rates: Rates, n: number, chunks: number): string[] {
  const { sort, merge, client, worker } = rates
  const ns = (value: number) => `${value.toFixed(1)} ns`
  const sorting = sort * Math.log2(Math.max(2, n / chunks))
  return [
    `By reference each number costs the client's connection ${ns(client)} and a worker's ${ns(worker)}, a level of merging ${ns(merge)},`,
    `and sorting it among ${count(Math.floor(n / chunks))} costs ${ns(sorting)}. At these rates hosts are faster from:`,
    table(
      ['network', ...hostCounts.map((hosts) => `${hosts} hosts`)],
      breakEvens(rates).map(({ network, from }) => [
        network,
        ...from.map(({ n }) => (n === null ? 'never' : `2^${Math.log2(n)}`)),
      ]),
    ),
  ]
}

/** Our ways beside Celery's: lines with a table. */
export function describeCelery(
  { version, book, plain }: CeleryResult,
  workers: number,
  ways: readonly WayResult[],
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

/** The processes of each way on one axis, each way from its own beginning. Returns SVG text. */
export function drawWays(ways: readonly WayResult[], lanes: Record<WayName, Lanes[]>, n: number): string {
  const rows = ways.flatMap(({ name }) => {
    const last: Lanes = lanes[name].at(-1) ?? new Map()
    const start = Math.min(...[...last.values()].flat().map(({ begin }) => begin))
    return [...last].map(([process, spans], at) => ({
      name: `${name}: ${at === 0 ? process : `worker ${at}`}`,
      spans: spans.map(({ doing, begin, end }) => ({ kind: doing, from: begin - start, to: end - start })),
    }))
  })
  const sizes = ways.map((way) => `${bytes(way.bytes)} as ${way.name}`).join(', ')
  return timeline({
    title: `${count(n)} integers sorted by worker processes`,
    subtitle: `each way from its beginning; ${sizes}. Gaps: waiting, and turning numbers into JSON and back`,
    kinds: { send: {}, receive: {}, sort: {}, merge: {} },
    rows,
  })
}

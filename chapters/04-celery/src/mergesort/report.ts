/** What `mergesort` accepts, and how it presents what it measured: tables and a picture. */

import { type Cost, growthSlope, paysFrom } from '@repo/common/cost'
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
  /** Against the best plain program. */
  speedup: number
  /** Sent to the workers, without what surrounds the numbers; about as much came back. */
  bytes: number
  computeToTransfer: number
}

/** Times at several sizes: of each way by its name, and the slope of each on logarithmic axes. */
export type Grown = ReturnType<typeof grownOf>

export function grownOf(sizes: (Cost & { size: number; ms: Record<string, number> })[]) {
  const names = Object.keys(sizes[0]?.ms ?? {})
  const pointsOf = (name: string) => sizes.map(({ size, ms }) => ({ size, ms: ms[name] ?? Number.NaN }))
  const ways = Object.fromEntries(names.map((name) => [name, pointsOf(name)]))
  const slopes = Object.fromEntries(names.map((name) => [name, growthSlope(pointsOf(name))]))
  return { ways, slopes, costs: sizes.map(({ size, bestSerialMs, cost }) => ({ size, bestSerialMs, cost })) }
}

const mostInMessages = 10_000_000
/** What one number takes at worst in this process, the workers and Redis together. */
const bytesEach = { json: 200, bytes: 60 }

/** With --growth the smallest size is this fraction of all: two decades. */
export const growthSpan = 100

/** @throws UsageError for numbers that do not fit together, or not into the free memory */
export function requireRoom({
  n,
  chunks,
  ways,
  growth,
}: {
  n: number
  chunks: number
  ways: readonly WayName[]
  growth: boolean
}): void {
  if (chunks > n) throw new UsageError('--chunks', chunks, `a whole number from 1 to ${n}, the numbers`)
  const least = growthSpan * chunks
  if (growth && n < least)
    throw new UsageError('--n', n, `at least ${least} with --growth, for a hundredth of them in ${chunks} chunks`)
  if (ways.includes('json') && n > mostInMessages) {
    throw new UsageError('--ways', ways, `bytes alone for more than ${count(mostInMessages)} numbers`)
  }
  const available = process.availableMemory()
  const most = Math.floor(available / Math.max(...ways.map((name) => bytesEach[name])))
  if (n > most) throw new UsageError('--n', n, `at most ${most} here: ${bytes(available)} of memory are free`)
}

/** @param lanes of each run, the last of which is looked at */
export function resultOf(
  name: WayName,
  { ms, samplesMs }: Timing,
  { lanes, bestSerialMs, numbers, chunks }: { lanes: Lanes[]; bestSerialMs: number; numbers: Numbers; chunks: number },
): WayResult {
  const jsonBytes = () => cut(numbers, chunks).reduce((sum, run) => sum + JSON.stringify(Array.from(run)).length, 0)
  const computing = computingMs(lanes.at(-1) ?? new Map())
  const rest = (samplesMs.at(-1) ?? 0) - computing
  return {
    name,
    ms,
    speedup: bestSerialMs / ms,
    bytes: name === 'json' ? jsonBytes() : numbers.byteLength,
    computeToTransfer: computing / Math.max(0.001, rest),
  }
}

/** What each way took, as a table. */
export function describeWays(
  ways: readonly WayResult[],
  {
    radixMs,
    typedArrayMs,
    localMs,
    bestSerialMs,
  }: { radixMs: number; typedArrayMs: number; localMs: number; bestSerialMs: number },
): string {
  const here = { 'radix sort': radixMs, 'TypedArray.sort': typedArrayMs, 'the same chunks and merges': localMs }
  return table(
    ['', 'time', 'speedup', 'sent', 'computing : the rest'],
    [
      ...Object.entries(here).map(([name, ms]) => [
        `${name}, here`,
        milliseconds(ms),
        times(bestSerialMs / ms),
        '',
        '',
      ]),
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

/** What each number costs, and how much computing it would have to need for hosts to pay off: lines with a table. */
export function describeRates(rates: Rates): string[] {
  const ns = (value: number) => `${value.toFixed(1)} ns`
  return [
    `By reference each number costs the client's connection ${ns(rates.client)} and a worker's ${ns(rates.worker)}, a level of merging ${ns(rates.merge)}.`,
    `To sort it costs one thread ${ns(rates.sort)}. At these rates hosts are faster, at any size, if it costs more than:`,
    table(
      ['network', ...hostCounts.map((hosts) => `${hosts} hosts`)],
      breakEvens(rates).map(({ network, computingNs }) => [network, ...computingNs.map(({ ns: most }) => ns(most))]),
    ),
  ]
}

/** Time against size: lines with a table. */
export function describeGrowth({ ways, slopes, costs }: Grown, workers: number): string[] {
  const names = Object.keys(ways)
  const pays = paysFrom(costs)
  return [
    table(
      ['integers', ...names, 'COST'],
      [
        ...costs.map(({ size, cost }, at) => {
          return [count(size), ...names.map((name) => milliseconds(ways[name]?.[at]?.ms ?? Number.NaN)), cost]
        }),
        ['slope', ...names.map((name) => (slopes[name] ?? Number.NaN).toFixed(2)), ''],
      ],
    ),
    '',
    pays
      ? `${workers} workers pay from ${count(pays.size)} integers.`
      : `${workers} workers pay at none of these sizes.`,
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

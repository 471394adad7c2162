/** What came of comparing all pairs, as tables. */

import { count, milliseconds, table } from '@repo/common/output/terminal'
import { type Document, titleOf } from '@repo/common/workloads/documents'

export function pairsTable(documents: readonly Document[], top: readonly { a: number; b: number; score: number }[]) {
  return table(
    ['the most similar', 'and', 'in common'],
    top.map(({ a, b, score }) => [titleOf(documents[a]), titleOf(documents[b]), `${(100 * score).toFixed(1)} %`]),
  )
}

export interface WayTimes {
  pairs: number
  workers: number
  serialMs: number
  parallelMs: number
  indexMs: number
  /** Undefined when there was no time for it. */
  setsMs: number | undefined
}

export function timesTable({ pairs, workers, serialMs, parallelMs, indexMs, setsMs }: WayTimes) {
  return table(
    [`${count(pairs)} pairs`, 'threads', 'time'],
    [
      ...(setsMs ? [['JavaScript Sets', 1, milliseconds(setsMs)]] : []),
      ['a byte table per row', 1, milliseconds(serialMs)],
      ['a byte table per row, on the pool', workers, milliseconds(parallelMs)],
      ['inverted index', 1, milliseconds(indexMs)],
    ],
  )
}

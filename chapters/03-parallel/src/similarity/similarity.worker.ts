/** A pool's worker for the phases of a comparison. It takes pieces of work until none is left. */
import { type ScoreTable, scoreRows } from '@repo/common/workloads/all-pairs'
import { countShingles, type ShingleIndex, writeShingles } from '@repo/common/workloads/shingle-index'
import { indexShingles } from '@repo/common/workloads/shingle-lists'
import { contentOf } from '@repo/common/workloads/shingles'
import { type Band, type Comparison, compareRows, tableFor } from '@repo/common/workloads/similarity'
import type { SharedUint32 } from '@repo/common/workloads/word-numbers'

/** The pieces of a phase, which all its workers share: the next one that nobody has taken, and the number of all. */
export interface Pieces {
  next: SharedUint32
  count: number
}

export type Task =
  /** What `layOut` takes for texts that are not ASCII, in shared memory. */
  | { phase: 'fold'; texts: string[] }
  | { phase: 'count'; index: ShingleIndex; pieces: Pieces }
  | { phase: 'write'; index: ShingleIndex; pieces: Pieces }
  | { phase: 'index'; index: ShingleIndex; pieces: Pieces }
  | { phase: 'score'; index: ShingleIndex; table: ScoreTable; count: number; pieces: Pieces }
  /** The old way: compares sets of shingles that one thread has made. */
  | { phase: 'compare'; comparison: Comparison; bands: Band[]; pieces: Pieces }

export default function work(task: Task) {
  if (task.phase === 'fold') {
    return task.texts.map((text) => contentOf(text, (length) => new Uint8Array(new SharedArrayBuffer(length))))
  }
  const taken = take(task.pieces)
  if (task.phase === 'compare') return compareBands(task.comparison, task.bands, taken)
  const { index } = task
  if (task.phase === 'count') return countShingles(index, taken)
  if (task.phase === 'write') return writeShingles(index, taken)
  if (task.phase === 'score') return scoreRows(index, task.table, taken, task.count)
  return indexShingles(index, taken)
}

function compareBands(comparison: Comparison, bands: Band[], taken: Iterable<number>) {
  const contains = tableFor(comparison.sets)
  for (const band of taken) compareRows(comparison, bands[band], contains)
}

/** Whoever is free takes the next piece: no worker waits for a slower one before the end of a phase. */
// #region take
function* take({ next, count }: Pieces) {
  for (let piece = Atomics.add(next, 0, 1); piece < count; piece = Atomics.add(next, 0, 1)) yield piece
}
// #endregion take

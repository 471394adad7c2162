/**
 * The similarity of every pair of texts: the Jaccard index of their sets of shingles, |A ∩ B| / |A ∪ B| (Broder, "On
 * the resemblance and containment of documents", 1997).
 */
import type { ShingleSets } from './shingles.ts'

/**
 * n × n scores of n texts, row by row. Only those right of the diagonal are set: a pair's score is at a · n + b, a < b.
 */
export type Scores = Float64Array<SharedArrayBuffer>

export interface Comparison {
  sets: ShingleSets
  scores: Scores
}

/** The rows [from, to). */
export interface Band {
  from: number
  to: number
}

/** Returns a comparison that has not begun: all scores are 0. */
export function comparisonOf(sets: ShingleSets): Comparison {
  const texts = sets.sizes.length
  return { sets, scores: new Float64Array(new SharedArrayBuffer(texts * texts * Float64Array.BYTES_PER_ELEMENT)) }
}

/**
 * Fills in the scores of each row of a band: its text against every later one. The row's own set becomes a table with
 * one byte for each shingle. So one pass over another set counts the intersection, without a search or a branch.
 *
 * @param contains that table, all zero before and after. A thread that compares many bands passes the same one each
 *   time, because fresh memory costs a page fault every 4 kB
 */
export function compareRows({ sets, scores }: Comparison, { from, to }: Band, contains = tableFor(sets)): void {
  const { sizes, offsets, shared } = sets
  const texts = sizes.length
  for (let a = from; a < to; a++) {
    for (let i = offsets[a]; i < offsets[a + 1]; i++) contains[shared[i]] = 1
    for (let b = a + 1; b < texts; b++) {
      let intersection = 0
      for (let i = offsets[b], end = offsets[b + 1]; i < end; i++) intersection += contains[shared[i]]
      const union = sizes[a] + sizes[b] - intersection
      scores[a * texts + b] = union === 0 ? 0 : intersection / union
    }
    for (let i = offsets[a]; i < offsets[a + 1]; i++) contains[shared[i]] = 0
  }
}

/** Returns a table for `compareRows`. */
export function tableFor({ vocabulary }: ShingleSets): Uint8Array {
  return new Uint8Array(vocabulary)
}

/** Cuts the rows into bands of about equal work. The first rows have more partners than the last ones. */
export function splitEvenly({ offsets }: ShingleSets, parts: number): Band[] {
  const texts = offsets.length - 1
  const work = (row: number) => offsets[texts] - offsets[row + 1] + 2 * (offsets[row + 1] - offsets[row]) + 1
  let total = 0
  for (let row = 0; row < texts; row++) total += work(row)

  const bands: Band[] = []
  let from = 0
  let done = 0
  for (let row = 0; row < texts; row++) {
    done += work(row)
    if (done >= ((bands.length + 1) * total) / parts || row === texts - 1) {
      bands.push({ from, to: row + 1 })
      from = row + 1
    }
  }
  return bands
}

export interface Pair {
  /** Indices of the two texts, a < b. */
  a: number
  b: number
  score: number
}

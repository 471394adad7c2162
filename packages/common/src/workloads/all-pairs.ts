/**
 * The similarity of all pairs of texts, from an inverted index of their shingles: the whole job on one thread, and its
 * last phase, the rows, of which threads may take some each.
 */
import { setImmediate } from 'node:timers/promises'
import type { ShingleIndex } from './shingle-index.ts'
import * as phases from './shingle-index.ts'
import { indexShingles } from './shingle-lists.ts'
import { contentOf } from './shingles.ts'
import type { Pair } from './similarity.ts'
import { placeOf } from './word-numbers.ts'

/** All scores as a square table, whose size does not depend on the number of texts if there are many. */
export interface ScoreTable {
  /** The number of rows, and of columns. */
  side: number
  /**
   * side × side cells, row by row. Up to `mostCells` texts have a row each, so that the cell (a, b) is the score of text a
   * and text b; of more texts, several share a row, and a cell has the highest score of its pairs. 1 on the diagonal.
   */
  cells: Float64Array<SharedArrayBuffer>
}

/** The most rows of a table of scores: 8 MB, and more than a picture can show. */
export const mostCells = 1_000

/** Returns a table for so many texts, in which all scores are 0; `used` as in `sharedUint32`. */
export function newScoreTable(texts: number, used?: ScoreTable): ScoreTable {
  const side = Math.min(texts, mostCells)
  const size = side * side * Float64Array.BYTES_PER_ELEMENT
  const cells = used?.cells.byteLength === size ? used.cells.fill(0) : new Float64Array(new SharedArrayBuffer(size))
  for (let row = 0; row < side; row++) cells[row * side + row] = 1
  return { side, cells }
}

/** Returns the first text of a row of the table; the row before ends there. */
const firstOf = (row: number, texts: number, side: number) => Math.ceil((row * texts) / side)

/**
 * Writes the scores of some rows to the table: of the texts of the row with all earlier texts.
 *
 * @returns the most similar pairs of these rows, without those that have nothing in common
 */
export function scoreRows(index: ShingleIndex, table: ScoreTable, rows: Iterable<number>, count: number): Pair[] {
  return scoreTexts(index.sizes, table, rows, count, (b, counts) => countCommon(index, b, counts))
}

/**
 * Does so with shingles that are held in any way.
 *
 * @param sizes the number of distinct shingles of each text
 * @param countCommon counts the shingles that text `b` has in common with each earlier text, and returns how many texts it
 *   has touched; before, all counts are 0
 */
export function scoreTexts(
  sizes: Uint32Array,
  table: ScoreTable,
  rows: Iterable<number>,
  count: number,
  countCommon: (b: number, counts: Counts) => number,
): Pair[] {
  const texts = sizes.length
  const counts: Counts = { common: new Uint32Array(texts), touched: new Uint32Array(texts) }
  const best: Pair[] = []
  for (const row of rows) {
    for (let b = firstOf(row, texts, table.side); b < firstOf(row + 1, texts, table.side); b++) {
      scoreText(sizes, table, b, counts, countCommon(b, counts), best, count)
    }
  }
  return best
}

export interface Counts {
  /** For each text, the number of shingles in common. */
  common: Uint32Array
  /** The texts with at least one. The others, which may be most, need no score. */
  touched: Uint32Array
}

/** Counts the shingles that text `b` has in common with each earlier text. Returns the number of texts with any. */
function countCommon(index: ShingleIndex, b: number, { common, touched }: Counts): number {
  const { blocks, lengths, lists, holders } = index
  let found = 0
  for (let block = blocks[b]; block < blocks[b + 1]; block++) {
    const first = placeOf(index, block)
    for (let at = first; at < first + lengths[block]; at++) {
      if (lists[at] === 0) continue
      // A list has ascending texts, `b` is one of them, and those after it have this pair in a row of theirs.
      for (let i = lists[at] - 1; holders[i] < b; i++) {
        if (common[holders[i]]++ === 0) touched[found++] = holders[i]
      }
    }
  }
  return found
}

/** Writes the scores of text `b` with all earlier texts that it touches, and resets the counts to 0. */
function scoreText(
  sizes: Uint32Array,
  { side, cells }: ScoreTable,
  b: number,
  { common, touched }: Counts,
  found: number,
  best: Pair[],
  count: number,
): void {
  const texts = sizes.length
  const row = Math.floor((b * side) / texts)
  for (let i = 0; i < found; i++) {
    const a = touched[i]
    const score = common[a] / (sizes[a] + sizes[b] - common[a])
    common[a] = 0
    const column = Math.floor((a * side) / texts)
    if (score > cells[row * side + column]) {
      cells[row * side + column] = score
      cells[column * side + row] = score
    }
    if (best.length < count || score >= best[count - 1].score) keepBest(best, { a, b, score }, count)
  }
}

/** Inserts a pair into a list of at most `count` pairs, if it is one of the first in their order. */
function keepBest(best: Pair[], pair: Pair, count: number): void {
  let at = best.length
  while (at > 0 && inOrder(pair, best[at - 1]) < 0) at--
  if (at === count) return
  best.splice(at, 0, pair)
  best.length = Math.min(best.length, count)
}

/** The highest score first, and equal ones in the order of their texts. */
const inOrder = (p: Pair, q: Pair) => q.score - p.score || p.a - q.a || p.b - q.b

/** Returns the pairs with the highest scores, highest first, and equal ones in the order of their texts. */
export function mostSimilar(pairs: readonly Pair[], count: number): Pair[] {
  return [...pairs].sort(inOrder).slice(0, count)
}

/**
 * Returns the most similar of the pairs that several calls of `scoreRows` have returned. If too few have anything in
 * common, the first of the others follow.
 */
export function bestOf(pairs: readonly (readonly Pair[])[], count: number, texts: number): Pair[] {
  const best = mostSimilar(pairs.flat(), count)
  const alike = best.length
  for (let a = 0; a < texts && best.length < count; a++) {
    for (let b = a + 1; b < texts && best.length < count; b++) {
      if (!best.slice(0, alike).some((pair) => pair.a === a && pair.b === b)) best.push({ a, b, score: 0 })
    }
  }
  return best
}

/** The numbers of all rows, the longest ones first: then threads that take the next one each end at about the same time. */
export const rowsOf = ({ side }: ScoreTable) => Array.from({ length: side }, (_, row) => side - 1 - row)

export interface ComparisonOptions {
  /** The number of most similar pairs to find. */
  count: number
  /** What nobody needs any more, whose memory is used again. */
  used?: Partial<Compared>
  /** Is called with the name of each phase when it has ended. */
  onPhase?: (name: PhaseName) => void
}

/** What a comparison of all pairs found. */
export interface Compared {
  index: ShingleIndex
  table: ScoreTable
  /** The most similar pairs, in the order of `mostSimilar`. */
  top: Pair[]
}

export const phaseNames = [
  'copy the texts',
  'number the words',
  'sort the shingles',
  'index them',
  'score the pairs',
] as const
export type PhaseName = (typeof phaseNames)[number]

/** Compares all pairs on one thread, as fast as it can: the whole job. Ctrl-C is heard between its phases. */
export async function compareAlone(
  texts: readonly string[],
  size: number,
  { count, used, onPhase = () => {}, signal }: ComparisonOptions & { signal?: AbortSignal | undefined },
): Promise<Compared> {
  const ended = async (name: PhaseName) => {
    onPhase(name)
    await setImmediate(undefined, { signal })
  }
  const contents = texts.map((text) => contentOf(text))
  let index = phases.newIndex(contents, size, { used: used?.index })
  await ended('copy the texts')
  while (!phases.countShingles(index, phases.piecesOf(index))) index = phases.withMoreSlots(index)
  await ended('number the words')
  phases.placePartitions(index)
  phases.writeShingles(index, phases.piecesOf(index))
  await ended('sort the shingles')
  indexShingles(index, phases.partitionsOf(index))
  await ended('index them')
  const table = newScoreTable(texts.length, used?.table)
  const top = bestOf([scoreRows(index, table, rowsOf(table), count)], count, texts.length)
  await ended('score the pairs')
  return { index, table, top }
}

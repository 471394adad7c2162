/**
 * What the `array` example works on, as its tasks see it: a study that is cut into parts. Each task computes one part of
 * it as bytes. The client prepares a study and puts its parts together (answers.ts); the bundle for the nodes leaves
 * that out.
 */
import { type Counts, newScoreTable, scoreTexts } from '@repo/common/workloads/all-pairs'
import { drawing, drawTile, type View } from '@repo/common/workloads/mandelbrot'
import type { ShingleSets } from '@repo/common/workloads/shingles'

export type Study =
  /** All pairs of some texts. */
  | { job: 'similarity'; sets: ShingleSets }
  /** A picture. */
  | { job: 'mandelbrot'; view: View }

/** One part out of a number of parts, counted from 0. */
export interface Part {
  part: number
  parts: number
}

/** The number of most similar pairs to find, of those that have anything in common. */
export const mostPairs = 5

/**
 * Computes one part of a study: pixels, three bytes each, or numbers as Float64. Those are, of each row of the table of
 * scores that belongs to the part, the cells up to the diagonal; then `a`, `b` and the score of its most similar pairs.
 */
export function computePart(study: Study, part: Part): Uint8Array {
  if (study.job === 'mandelbrot') return drawRows(study.view, part)
  const table = newScoreTable(study.sets.sizes.length)
  const rows = rowsOf(table.side, part)
  const best = scoreTexts(study.sets.sizes, table, rows, mostPairs, countingIn(study.sets))
  const cells = rows.flatMap((row) => Array.from(table.cells.subarray(row * table.side, row * table.side + row + 1)))
  return new Uint8Array(Float64Array.from([...cells, ...best.flatMap(({ a, b, score }) => [a, b, score])]).buffer)
}

/** The rows of a part. Later rows are longer, so each part gets some from everywhere; with few rows, some get none. */
export function rowsOf(side: number, { part, parts }: Part): number[] {
  const rows: number[] = []
  for (let row = part; row < side; row += parts) rows.push(row)
  return rows
}

/** Returns what counts, for `scoreTexts`, the shingles that a text has in common with each earlier one. */
function countingIn(sets: ShingleSets) {
  const { offsets, shared } = sets
  const { begins, holders } = holdersOf(sets)
  return (b: number, { common, touched }: Counts): number => {
    let found = 0
    for (let at = offsets[b]; at < offsets[b + 1]; at++) {
      // Text b is one of the holders, and those after it have this pair in a row of theirs.
      for (let i = begins[shared[at]]; holders[i] < b; i++) {
        if (common[holders[i]]++ === 0) touched[found++] = holders[i]
      }
    }
    return found
  }
}

/** An inverted index: shingle `s` is in the texts `holders[begins[s]]` to below `begins[s + 1]`, in ascending order. */
function holdersOf({ offsets, shared, vocabulary }: ShingleSets) {
  const begins = new Uint32Array(vocabulary + 1)
  for (const shingle of shared) begins[shingle + 1]++
  for (let shingle = 0; shingle < vocabulary; shingle++) begins[shingle + 1] += begins[shingle]
  const holders = new Uint32Array(shared.length)
  const next = begins.slice()
  for (let text = 0; text < offsets.length - 1; text++) {
    for (let at = offsets[text]; at < offsets[text + 1]; at++) holders[next[shared[at]]++] = text
  }
  return { begins, holders }
}

function drawRows(view: View, { part, parts }: Part): Uint8Array {
  const from = Math.floor((view.height * part) / parts)
  const to = Math.floor((view.height * (part + 1)) / parts)
  const picture = drawing(view)
  drawTile(picture, { left: 0, right: view.width, top: from, bottom: to })
  return picture.pixels.slice(from * view.width * 3, to * view.width * 3)
}

/** Writes a study as files for the cluster, by name. */
export function filesOf(study: Study): Record<string, Uint8Array | string> {
  if (study.job === 'mandelbrot') return { 'study.json': JSON.stringify(study) }
  const { sizes, offsets, shared, vocabulary } = study.sets
  const description = { job: study.job, texts: sizes.length, shared: shared.length, vocabulary }
  const numbers = Buffer.concat([sizes, offsets, shared].map((list) => new Uint8Array(list.buffer)))
  return { 'study.json': JSON.stringify(description), 'sets.bin': numbers }
}

/** Reads a study back from such files. */
export async function readStudy(read: (name: string) => Promise<Uint8Array>): Promise<Study> {
  const described = JSON.parse(Buffer.from(await read('study.json')).toString()) as
    | Extract<Study, { job: 'mandelbrot' }>
    | { job: 'similarity'; texts: number; shared: number; vocabulary: number }
  if (described.job === 'mandelbrot') return described
  const { texts, shared, vocabulary } = described
  const bytes = await read('sets.bin')
  let at = 0
  const take = (length: number) => {
    const list = new Uint32Array(new SharedArrayBuffer(length * Uint32Array.BYTES_PER_ELEMENT))
    new Uint8Array(list.buffer).set(bytes.subarray(at, at + list.byteLength))
    at += list.byteLength
    return list
  }
  return {
    job: 'similarity',
    sets: { sizes: take(texts), offsets: take(texts + 1), shared: take(shared), vocabulary },
  }
}

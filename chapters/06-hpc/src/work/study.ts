/**
 * What the `array` example works on: a study that is cut into tasks. Each task computes one part of it as bytes. The
 * parts, one after another, make up the whole result, which is also what a single task computes.
 *
 * The client prepares a study and draws its result, and the nodes compute its parts. The bundle for the nodes leaves
 * out what only the client uses.
 */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { drawPairs, identityOf, readDocuments } from '@repo/common/workloads/documents'
import { drawing, drawTile, type View } from '@repo/common/workloads/mandelbrot'
import { type ShingleSets, shingleSets } from '@repo/common/workloads/shingles'
import { compareRows, comparisonOf, mostSimilar, symmetric, tableFor } from '@repo/common/workloads/similarity'
import { encode } from 'fast-png'

/** The kinds of studies, as `--job` names them. */
export const studyNames = ['similarity', 'mandelbrot'] as const

export type Study =
  /**
   * All pairs of some texts. The result is their scores as Float64: of text 0 with 1, 2, 3, …, then of text 1 with 2,
   * ….
   */
  | { job: 'similarity'; sets: ShingleSets }
  /** A picture. The result is its pixels, three bytes each, row by row. */
  | { job: 'mandelbrot'; view: View }

/** One part out of a number of parts, counted from 0. */
export interface Part {
  part: number
  parts: number
}

/** The largest number of parts into which a study can be cut. */
export function partsAtMost(study: Study): number {
  return study.job === 'similarity' ? pairsOf(study.sets.sizes.length) : study.view.height
}

/** Computes one part of a study. */
export function computePart(study: Study, part: Part): Uint8Array {
  return study.job === 'similarity' ? comparePairs(study.sets, part) : drawRows(study.view, part)
}

/** Computes a whole study on one thread, in steps, so that the signal can end it. */
export async function computeWhole(study: Study, signal: AbortSignal) {
  const parts = Math.min(32, partsAtMost(study))
  const start = performance.now()
  const all: Uint8Array[] = []
  for (let part = 0; part < parts; part++) {
    all.push(computePart(study, { part, parts }))
    await setImmediate(undefined, { signal })
  }
  return { whole: Buffer.concat(all), ms: performance.now() - start }
}

const pairsOf = (texts: number) => (texts * (texts - 1)) / 2
/** The first of `size` things that belong to a part, and the one after the last. */
const share = (size: number, { part, parts }: Part) => ({
  from: Math.floor((size * part) / parts),
  to: Math.floor((size * (part + 1)) / parts),
})

function comparePairs(sets: ShingleSets, part: Part): Uint8Array {
  const texts = sets.sizes.length
  const { from, to } = share(pairsOf(texts), part)
  const comparison = comparisonOf(sets)
  const contains = tableFor(sets)
  const scores = new Float64Array(to - from)
  // Row a holds the pairs of text a with all later texts; `first` is the number of the row's first pair.
  for (let a = 0, first = 0; first < to; first += texts - 1 - a, a++) {
    const columns = { from: Math.max(a + 1, a + 1 + from - first), to: Math.min(texts, a + 1 + to - first) }
    if (columns.from >= columns.to) continue
    compareRows(comparison, { from: a, to: a + 1 }, contains, columns)
    const row = comparison.scores.subarray(a * texts + columns.from, a * texts + columns.to)
    scores.set(row, first + columns.from - a - 1 - from)
  }
  return new Uint8Array(scores.buffer)
}

/** The scores of all pairs in a table of texts × texts, as `compareRows` writes them. */
export function scoresOf(whole: Uint8Array, texts: number): Float64Array<SharedArrayBuffer> {
  const inOrder = new Float64Array(whole.slice().buffer)
  const scores = new Float64Array(new SharedArrayBuffer(texts * texts * Float64Array.BYTES_PER_ELEMENT))
  for (let a = 0, first = 0; a < texts; first += texts - 1 - a, a++) {
    scores.set(inOrder.subarray(first, first + texts - 1 - a), a * texts + a + 1)
  }
  return scores
}

function drawRows(view: View, part: Part): Uint8Array {
  const { from, to } = share(view.height, part)
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

/** Words in a row, as in chapter 3. */
const shingleSize = 3
const wholeSet: View = { width: 1200, height: 800, iterations: 2000, centerX: -0.75, centerY: 0, zoom: 1.15 }

/** Prepares a study: the shingles of all texts, or the section of the plane to draw. */
export function prepareStudy(job: Study['job']): Study {
  if (job === 'mandelbrot') return { job, view: wholeSet }
  const texts = readDocuments().map(({ text }) => text)
  return { job, sets: shingleSets(texts, shingleSize) }
}

export interface Drawn {
  /** For the example's JSON document. */
  result: Record<string, unknown>
  /** The file name and the content of the picture. */
  name: string
  content: string | Uint8Array
}

/** Draws the result of a whole study, and describes it in a few figures. */
export function drawStudy(study: Study, whole: Uint8Array): Drawn {
  const sha256 = createHash('sha256').update(whole).digest('hex')
  if (study.job === 'mandelbrot') {
    const { width, height } = study.view
    const content = encode({ width, height, channels: 3, data: whole })
    return { result: { width, height, sha256 }, name: 'array-mandelbrot.png', content }
  }
  const documents = readDocuments()
  const scores = scoresOf(whole, documents.length)
  const top = mostSimilar(scores, 5)
  const subtitle = `shingles of ${shingleSize} words that two addresses have in common; by an array of jobs`
  return {
    result: {
      pairs: (documents.length * (documents.length - 1)) / 2,
      top: top.map(({ a, b, score }) => ({ a: identityOf(documents[a]), b: identityOf(documents[b]), score })),
      sha256,
    },
    name: 'array-similarity.svg',
    content: drawPairs(documents, symmetric(scores), top.at(-1)?.score || 1, subtitle),
  }
}

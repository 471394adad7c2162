/** The client's side of the `array` example: a question, and its answer, on one thread or from the parts of a study. */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { compareAlone, mostSimilar, newScoreTable, type ScoreTable } from '@repo/common/workloads/all-pairs'
import { drawPairs, identityOf, readDocuments } from '@repo/common/workloads/documents'
import { drawing, drawTile, type View } from '@repo/common/workloads/mandelbrot'
import { shingleSets } from '@repo/common/workloads/shingles'
import type { Pair } from '@repo/common/workloads/similarity'
import { encode } from 'fast-png'
import { mostPairs, rowsOf, type Study } from './study.ts'

/** The kinds of questions, as `--job` names them. */
export const jobNames = ['similarity', 'mandelbrot'] as const
export type JobName = (typeof jobNames)[number]

export type Question =
  /**
   * How alike are these texts, each with each? The answer is the table of scores, as `ScoreTable` holds it, and after it
   * `a`, `b` and the score of the most similar pairs that have anything in common; all as Float64.
   */
  | { job: 'similarity'; texts: readonly string[] }
  /** What does this section of the plane look like? The answer is its pixels, three bytes each, row by row. */
  | { job: 'mandelbrot'; view: View }

/** Words in a row, as in chapter 3. */
const shingleSize = 3
const wholeSet: View = { width: 1200, height: 800, iterations: 2000, centerX: -0.75, centerY: 0, zoom: 1.15 }

/** All State of the Union addresses, or the whole Mandelbrot set. */
export function questionOf(job: JobName): Question {
  if (job === 'mandelbrot') return { job, view: wholeSet }
  return { job, texts: readDocuments().map(({ text }) => text) }
}

/** Questions of two decades of sizes, and what is counted in a size. */
export function questionsOfSizes(job: JobName): { what: string; sizes: number[]; of: (size: number) => Question } {
  if (job === 'mandelbrot') {
    const of = (iterations: number): Question => ({ job, view: { ...wholeSet, iterations } })
    return { what: 'iterations at most', sizes: [2_000, 6_000, 20_000, 60_000, 200_000], of }
  }
  const sentences = readDocuments().flatMap(({ text }) => text.match(/[^.]+\./g) ?? [])
  const stock = Array.from({ length: 100 }, (_, at) => sentences[Math.floor((at * sentences.length) / 100)] ?? '')
  return {
    what: 'texts',
    sizes: [120, 400, 1_200, 4_000, 12_000],
    of: (count) => ({ job, texts: letters(stock, count) }),
  }
}

/** Form letters: each text is ten sentences drawn from the same stock. */
function letters(stock: readonly string[], count: number): string[] {
  let seed = 1
  const draw = () => {
    // The generator of Numerical Recipes. Its high bits are the random ones.
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return stock[Math.floor((seed / 2 ** 32) * stock.length)]
  }
  return Array.from({ length: count }, () => Array.from({ length: 10 }, draw).join(' '))
}

/** The largest number of tasks that a question can be cut into. */
export const mostTasks = (question: Question) => (question.job === 'mandelbrot' ? question.view.height : 10_000)

/** Prepares a question for the nodes: cuts the texts into shingles, which is the part of the job that stays here. */
export function prepare(question: Question): Study {
  if (question.job === 'mandelbrot') return question
  return { job: question.job, sets: shingleSets(question.texts, shingleSize) }
}

/** Puts all parts of a study together. */
export function putTogether(question: Question, parts: readonly Uint8Array[]): Uint8Array {
  if (question.job === 'mandelbrot') return Buffer.concat(parts)
  const table = newScoreTable(question.texts.length)
  const best = parts.map((bytes, part) => {
    const numbers = new Float64Array(Uint8Array.from(bytes).buffer)
    let at = 0
    for (const row of rowsOf(table.side, { part, parts: parts.length })) {
      for (let column = 0; column <= row; column++) {
        table.cells[row * table.side + column] = numbers[at]
        table.cells[column * table.side + row] = numbers[at++]
      }
    }
    return pairsIn(numbers.subarray(at))
  })
  return bytesOf(table, mostSimilar(best.flat(), mostPairs))
}

/** The best plain program: answers a question on this thread, in steps between which Ctrl-C is heard. */
export async function answerAlone(question: Question, signal?: AbortSignal): Promise<Uint8Array> {
  if (question.job === 'mandelbrot') {
    const picture = drawing(question.view)
    const { width, height } = question.view
    for (let top = 0; top < height; top += 25) {
      drawTile(picture, { left: 0, right: width, top, bottom: Math.min(height, top + 25) })
      await setImmediate(undefined, { signal })
    }
    return new Uint8Array(picture.pixels.buffer)
  }
  const { table, top } = await compareAlone(question.texts, shingleSize, { count: mostPairs, signal })
  return bytesOf(
    table,
    top.filter(({ score }) => score > 0),
  )
}

function bytesOf({ cells }: ScoreTable, top: readonly Pair[]): Uint8Array {
  const pairs = Float64Array.from(top.flatMap(({ a, b, score }) => [a, b, score]))
  return Buffer.concat([new Uint8Array(cells.buffer), new Uint8Array(pairs.buffer)])
}

function pairsIn(numbers: Float64Array): Pair[] {
  const at = (index: number) => numbers[index] ?? Number.NaN
  return Array.from({ length: numbers.length / 3 }, (_, pair) => ({
    a: at(3 * pair),
    b: at(3 * pair + 1),
    score: at(3 * pair + 2),
  }))
}

export interface Drawn {
  /** For the example's JSON document. */
  result: Record<string, unknown>
  /** The file name and the content of the picture. */
  name: string
  content: string | Uint8Array
}

/** Draws the answer to one of the questions of {@link questionOf}, and describes it in a few figures. */
export function drawAnswer(question: Question, whole: Uint8Array): Drawn {
  const sha256 = createHash('sha256').update(whole).digest('hex')
  if (question.job === 'mandelbrot') {
    const { width, height } = question.view
    const content = encode({ width, height, channels: 3, data: whole })
    return { result: { width, height, sha256 }, name: 'array-mandelbrot.png', content }
  }
  const documents = readDocuments()
  const numbers = new Float64Array(Uint8Array.from(whole).buffer)
  const cells = newScoreTable(documents.length).cells.length
  const top = pairsIn(numbers.subarray(cells))
  const subtitle = `shingles of ${shingleSize} words that two addresses have in common; by an array of jobs`
  return {
    result: {
      pairs: (documents.length * (documents.length - 1)) / 2,
      top: top.map(({ a, b, score }) => ({ a: identityOf(documents[a]), b: identityOf(documents[b]), score })),
      sha256,
    },
    name: 'array-similarity.svg',
    content: drawPairs(documents, numbers.slice(0, cells), top.at(-1)?.score || 1, subtitle),
  }
}

/** The client's half of the `array` example: prepares a study, and draws its result. */
import { createHash } from 'node:crypto'
import { drawPairs, identityOf, readDocuments } from '@repo/common/workloads/documents'
import type { View } from '@repo/common/workloads/mandelbrot'
import { shingleSets } from '@repo/common/workloads/shingles'
import { mostSimilar, symmetric } from '@repo/common/workloads/similarity'
import { encode } from 'fast-png'
import { type Study, scoresOf } from './study.ts'

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

/** The texts that are compared: the State of the Union addresses, or the reader's own files. */
import { heatMap } from '../output/plots.ts'
import { type Address, readTextFiles, stateOfTheUnion, type TextFile } from './texts.ts'

export type Document = Address | TextFile

/** The table of all pairs grows with the square: here it has 32 MB. */
export const mostDocuments = 2_000

/** The addresses, or the `.txt` files of a folder. Throws an Error that says what is wrong with the folder. */
export function readDocuments(folder?: string): Document[] {
  if (folder === undefined) return stateOfTheUnion()
  const files = readTextFiles(folder)
  if (files.length < 2 || files.length > mostDocuments) {
    throw new Error(`it holds ${files.length || 'no'} .txt ${files.length === 1 ? 'file' : 'files'}`)
  }
  return files
}

/** What identifies a document in results. */
export function identityOf(document: Document): { year: number; name: string } | { file: string } {
  return 'file' in document ? { file: document.file } : { year: document.year, name: document.name }
}

/** The same in words. */
export function titleOf(document: Document): string {
  return 'file' in document ? document.file : `${document.year} ${document.name}`
}

/**
 * The table of all pairs as a picture. Returns SVG text.
 *
 * @param values documents × documents, row after row
 * @param max what has the strongest colour, and everything above it
 */
export function drawPairs(documents: readonly Document[], values: Float64Array, max: number, subtitle: string): string {
  return heatMap({
    title: `How alike ${documents.length} texts are`,
    subtitle,
    x: axisOf(documents),
    y: axisOf(documents),
    values,
    columns: documents.length,
    max,
  })
}

/** For an axis along the documents: where to put marks and what to write there. */
function axisOf(documents: readonly Document[]) {
  const round = documents.flatMap((document, at) => ('year' in document && document.year % 25 === 0 ? [at] : []))
  return {
    label: round.length > 0 ? 'year of the address' : 'text',
    ticks: round.length > 0 ? round : undefined,
    tickFormat: (at: number | string) => {
      const document = documents[Number(at)]
      return document && 'year' in document ? String(document.year) : String(at)
    },
  }
}

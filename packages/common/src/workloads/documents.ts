/** The documents that examples compare: the State of the Union addresses, or the reader's own files. */
import { heatMap } from '../output/plots.ts'
import { type Address, readTextFiles, stateOfTheUnion, type TextFile } from './texts.ts'

export type Document = Address | TextFile

/** The table of all pairs grows with the square of this number; here it takes 32 MB. */
export const mostDocuments = 2_000

/**
 * Reads the addresses, or the `.txt` files of a folder.
 *
 * @throws an Error that says what is wrong with the folder
 */
export function readDocuments(folder?: string): Document[] {
  if (folder === undefined) return stateOfTheUnion()
  return readTextFiles(folder, (count) => {
    if (count >= 2 && count <= mostDocuments) return
    throw new Error(`it holds ${count || 'no'} .txt ${count === 1 ? 'file' : 'files'}`)
  })
}

/** Returns what identifies a document in results. */
export function identityOf(document: Document): { year: number; name: string } | { file: string } {
  return 'file' in document ? { file: document.file } : { year: document.year, name: document.name }
}

/** Returns what identifies a document for readers. */
export function titleOf(document: Document): string {
  return 'file' in document ? document.file : `${document.year} ${document.name}`
}

/**
 * Draws the table of all pairs. Returns SVG text.
 *
 * @param values documents × documents, row by row
 * @param max this value and larger ones have the darkest colour
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

/** Returns label and ticks of an axis along the documents: a tick for every 25th year. */
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

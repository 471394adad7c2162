/** The documents that examples compare: the State of the Union addresses, or the reader's own files. */
import { constants } from 'node:buffer'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { heatMap } from '../output/plots.ts'
import { bytes } from '../output/terminal.ts'
import { type Address, readTextFiles, stateOfTheUnion, type TextFile } from './texts.ts'

export type Document = Address | TextFile

/** The time for all pairs grows with the square of this number. */
export const mostDocuments = 20_000

/**
 * Memory for each byte of text, at most: 5 as a string and as bytes while it is read, and 13 for the bytes and the lists of
 * words and shingles if each word is one letter. English needs half of it. Text that says the same again and again may need
 * as much once more, because equal shingles are indexed together.
 */
const memoryPerByte = 18

/**
 * Reads the addresses, or the `.txt` files of a folder.
 *
 * @throws an Error that says what is wrong with the folder
 */
export function readDocuments(folder?: string): Document[] {
  if (folder === undefined) return stateOfTheUnion()
  return readTextFiles(folder, (names) => {
    const count = names.length
    if (count < 2 || count > mostDocuments) {
      throw new Error(`it holds ${count || 'no'} .txt ${count === 1 ? 'file' : 'files'}`)
    }
    refuseTooLarge(folder, names)
  })
}

/** Refuses what no string can hold, or this machine's memory, before any file is read. */
function refuseTooLarge(folder: string, names: readonly string[]): void {
  let total = 0
  for (const file of names) {
    const size = statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0
    if (size > constants.MAX_STRING_LENGTH) {
      throw new Error(`${file} has ${bytes(size)}, and a text may have ${bytes(constants.MAX_STRING_LENGTH)}`)
    }
    total += size
  }
  const needed = memoryPerByte * total
  const available = process.availableMemory()
  if (needed > available || total >= 2 ** 31) {
    throw new Error(
      `its ${bytes(total)} of text may take ${bytes(needed)} of memory, and ${bytes(available)} is free; all texts may have 2.1 GB`,
    )
  }
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
 * @param values a square table, row by row: of the documents, or of fewer rows that several documents share
 * @param max this value and larger ones have the darkest colour
 */
export function drawPairs(documents: readonly Document[], values: Float64Array, max: number, subtitle: string): string {
  const columns = Math.round(Math.sqrt(values.length))
  return heatMap({
    title: `How alike ${documents.length} texts are`,
    subtitle,
    x: axisOf(documents, columns),
    y: axisOf(documents, columns),
    values,
    columns,
    max,
  })
}

/** Returns label and ticks of an axis along the documents: a tick for every 25th year. */
function axisOf(documents: readonly Document[], columns: number) {
  const round = documents.flatMap((document, at) => ('year' in document && document.year % 25 === 0 ? [at] : []))
  return {
    label: round.length > 0 ? 'year of the address' : 'text',
    ticks: round.length > 0 ? round : undefined,
    tickFormat: (at: number | string) => {
      const text = Math.ceil((Number(at) * documents.length) / columns)
      const document = documents[text]
      return document && 'year' in document ? String(document.year) : String(text)
    },
  }
}

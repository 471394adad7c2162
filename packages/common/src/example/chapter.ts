/** A chapter as the runner and the tour see it: a folder with a package.json and one file per example. */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Example } from './example.ts'
import { readHeader } from './header.ts'

export interface Chapter {
  /** The package's name, such as `03-parallel`. */
  name: string
  folder: string
  /** The examples that `npm start` shows; the first is the headline. */
  tour: string[]
  /** Every example, sorted by name. */
  examples: { name: string; summary: string }[]
}

/** Reads a chapter's package.json and the headers of its examples. Throws if a file is missing. */
export async function readChapter(folder: string): Promise<Chapter> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { tour?: string[] }
  const files = (await readdir(join(folder, 'examples'))).filter((file) => file.endsWith('.ts')).sort()
  const examples = await Promise.all(files.map((file) => readHeader(join(folder, 'examples', file))))
  return { name: basename(folder), folder, tour: manifest.tour ?? [], examples }
}

/** Loads an example without running it. */
export async function loadExample(chapter: Chapter, name: string): Promise<Example> {
  const module = (await import(pathToFileURL(join(chapter.folder, 'examples', `${name}.ts`)).href)) as {
    default: Example
  }
  return module.default
}

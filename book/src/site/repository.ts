/** The repository that the book is made of, as files. Paths are relative to its root and have slashes. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'

/** Every command of this package runs in its folder. */
export const root = resolve('..')

/** Made, installed or secret: no part of the book. */
const ignored = new Set(['node_modules', 'dist', 'out', 'reports', '.turbo', '.astro', '.git'])

export const exists = (path: string) => existsSync(join(root, path))
export const isFolder = (path: string) => statSync(join(root, path)).isDirectory()
export const read = (path: string) => readFileSync(join(root, path), 'utf8')
export const readBytes = (path: string) => readFileSync(join(root, path))

/** The names in a folder, sorted, folders with a slash at the end; none if there is no such folder. */
export function list(folder: string): string[] {
  if (!exists(folder)) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !ignored.has(name))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort()
}

/** All files below a folder. */
export function walk(folder: string): string[] {
  return list(folder).flatMap((name) => {
    const path = posix.join(folder, name)
    return name.endsWith('/') ? walk(path.slice(0, -1)) : [path]
  })
}

/** The folders of the chapters, in the book's order. */
export const chapters: string[] = list('chapters').map((name) => `chapters/${name.slice(0, -1)}`)
/** The folders that have examples. */
export const foldersOfExamples: string[] = [...chapters, 'bench']

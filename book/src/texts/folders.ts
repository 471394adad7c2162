/** The folders whose texts have steps and claims. */
import { readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { UsageError } from '@repo/common/example/usage'

/** Returns the folders of the chapters and of the bench, relative to the root. */
export async function chapterFolders(root: string): Promise<string[]> {
  const chapters = (await readdir(join(root, 'chapters'))).sort()
  return [...chapters.map((name) => posix.join('chapters', name)), 'bench']
}

/**
 * Returns the folder of a chapter by the first letters of its name, such as `03`.
 *
 * @throws a UsageError if there is none
 */
export function chapterNamed(folders: string[], given: string): string {
  const found = folders.find((folder) => given !== '' && posix.basename(folder).startsWith(posix.basename(given)))
  if (found === undefined)
    throw new UsageError('chapter', given, folders.map((folder) => posix.basename(folder)).join(', '))
  return found
}

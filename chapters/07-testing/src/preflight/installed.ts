/** Which version of a package a program in a folder would get. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The version in the folder's own node_modules; undefined where it is not installed. */
export async function installedVersion(folder: string, name: string): Promise<string | undefined> {
  try {
    const manifest = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')
    return (JSON.parse(manifest) as { version: string }).version
  } catch {
    return undefined
  }
}

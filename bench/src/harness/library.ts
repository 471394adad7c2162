/** Versions of the libraries that are compared. */
import { readFile } from 'node:fs/promises'

/** Returns the version of a dependency of the bench. */
export async function versionOfLibrary(name: string): Promise<string> {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version
}

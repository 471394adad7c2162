/** The installed version of a package. The probe and the comparison both use it, and the probe loads little else. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Returns the version in the folder's own node_modules; undefined when it is not installed. */
export async function installedVersion(folder: string, name: string): Promise<string | undefined> {
  try {
    const manifest = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')
    return (JSON.parse(manifest) as { version: string }).version
  } catch {
    return undefined
  }
}

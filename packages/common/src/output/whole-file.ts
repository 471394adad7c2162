/** Files that are written as a whole or not at all. */
import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * Writes a file and the folders above it. It is renamed when complete: a viewer, or another run of the same program, never
 * sees half of it. Throws the file system's error, and then leaves what was there before.
 */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  // Not the name with an ending: it may have as many bytes as the file system takes.
  const unfinished = join(dirname(file), `.${randomUUID()}.tmp`)
  try {
    await writeFile(unfinished, content)
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

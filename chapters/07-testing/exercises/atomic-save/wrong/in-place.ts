// The checker says: A power cut destroys the old content before the new one is complete.
/** Overwrites the file. */
import type { Disk } from '../check.ts'

export async function save(disk: Disk, name: string, content: string): Promise<void> {
  await disk.write(name, content)
  await disk.sync(name)
  await disk.syncFolder()
}

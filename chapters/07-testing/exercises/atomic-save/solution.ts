/** A file with its old content or its new one, whenever the power fails. */
import type { Disk } from './check.ts'

/**
 * Writes content to a file. After a power cut at any moment the file has its old content or the new one; after `save` has
 * returned, the new one.
 */
export async function save(disk: Disk, name: string, content: string): Promise<void> {
  // Not under its name: that would destroy the old content before the new one is complete.
  const unfinished = `${name}.unfinished`
  await disk.write(unfinished, content)
  // The name may reach the disk before the content, so the content has to be there first.
  await disk.sync(unfinished)
  await disk.rename(unfinished, name)
  // Now the caller may rely on it.
  await disk.syncFolder()
}

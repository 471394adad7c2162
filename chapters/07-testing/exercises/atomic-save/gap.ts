// The checker says: save returns, and the file does not have the new content.
/** A file with its old content or its new one, whenever the power fails. */
import type { Disk } from './check.ts'

/**
 * Writes content to a file. After a power cut at any moment the file has its old content or the new one; after `save` has
 * returned, the new one.
 */
export async function save(_disk: Disk, _name: string, _content: string): Promise<void> {
  // Your code: under which name, and when is what on the disk?
}

// The checker says: save has returned, and a power cut brings the old content back.
/** Believes that a rename is on the disk when it returns. */
import type { Disk } from '../check.ts'

export async function save(disk: Disk, name: string, content: string): Promise<void> {
  await disk.write(`${name}.new`, content)
  await disk.sync(`${name}.new`)
  await disk.rename(`${name}.new`, name)
}

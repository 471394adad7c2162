// The checker says: Part 0 travels again, although the object is complete.
/** Looks only for unfinished uploads: the one that was completed before the kill is not among them. */
import { crc32 } from 'node:zlib'
import type { Store } from '../check.ts'

export async function upload(file: readonly string[], store: Store): Promise<void> {
  const checksums = file.map((part) => crc32(part))
  const [unfinished] = await store.uploads()
  const id = unfinished ?? (await store.begin())
  const stored = await store.parts(id)
  for (const [at, part] of file.entries()) {
    if (stored[at] !== checksums[at]) await store.send(id, at, part)
  }
  await store.complete(id, checksums)
}

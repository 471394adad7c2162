// The checker says: Life 1 dies, and the checkpoint that it had saved is gone.
/** Writes to the checkpoint itself. */
import type { Job } from '../check.ts'

export async function run({ total, every, warned, compute, files }: Job): Promise<'done' | 'more'> {
  let pieces = Number((await files.read('checkpoint')) ?? 0)
  let saved = pieces
  while (pieces < total && !warned.aborted) {
    pieces = await compute(pieces)
    if (pieces - saved < every) continue
    await files.write('checkpoint', String(pieces))
    saved = pieces
  }
  if (pieces > saved) await files.write('checkpoint', String(pieces))
  return pieces < total ? 'more' : 'done'
}

// The checker says: Life 2 has done all pieces, and does not say so.
/** Returns more whenever it was warned. */
import type { Job } from '../check.ts'

export async function run({ total, every, warned, compute, files }: Job): Promise<'done' | 'more'> {
  let pieces = Number((await files.read('checkpoint')) ?? 0)
  let saved = pieces
  async function save() {
    await files.write('checkpoint.new', String(pieces))
    await files.rename('checkpoint.new', 'checkpoint')
    saved = pieces
  }
  while (pieces < total && !warned.aborted) {
    pieces = await compute(pieces)
    if (pieces - saved >= every) await save()
  }
  if (pieces > saved) await save()
  return warned.aborted ? 'more' : 'done'
}

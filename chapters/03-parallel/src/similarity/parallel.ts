/**
 * All pairs of texts compared by the workers of a pool, from the texts to the table of scores.
 *
 * The workers share all memory, and each phase is one task for each of them: they take pieces of the work until none is
 * left. When all have ended, everything that they wrote is there for the next phase. On its own, the main thread only
 * copies the texts and adds up a few thousand counts.
 */
import { bestOf, type Compared, type ComparisonOptions, newScoreTable, rowsOf } from '@repo/common/workloads/all-pairs'
import { newIndex, partitionsOf, piecesOf, placePartitions, withMoreSlots } from '@repo/common/workloads/shingle-index'
import { isAscii } from '@repo/common/workloads/shingles'
import type { Pair } from '@repo/common/workloads/similarity'
import { sharedUint32 } from '@repo/common/workloads/word-numbers'
import type { Task } from './similarity.worker.ts'

export interface Workers {
  /** How many workers to use. */
  workers: number
  /** Has a worker do a task, and returns its result. */
  run: (task: Task) => Promise<unknown>
}

/** Returns the same as `compareAlone`. */
export async function compareInParallel(
  texts: readonly string[],
  size: number,
  { count, used, workers, run, onPhase = () => {} }: ComparisonOptions & Workers,
): Promise<Compared> {
  const onAll = <Result>(task: Phase, pieces: number) => takePieces<Result>(task, pieces, { workers, run })
  let index = newIndex(await contentsOf(texts, workers, run), size, { used: used?.index })
  onPhase('copy the texts')

  // #region phases
  const pieces = piecesOf(index).length
  while ((await onAll<boolean>({ phase: 'count', index }, pieces)).includes(false)) index = withMoreSlots(index)
  onPhase('number the words')

  placePartitions(index)
  await onAll({ phase: 'write', index }, pieces)
  onPhase('sort the shingles')

  await onAll({ phase: 'index', index }, partitionsOf(index).length)
  onPhase('index them')
  // #endregion phases

  const table = newScoreTable(texts.length, used?.table)
  const top = await onAll<Pair[]>({ phase: 'score', index, table, count }, rowsOf(table).length)
  onPhase('score the pairs')
  return { index, table, top: bestOf(top, count, texts.length) }
}

/** A task without its pieces. */
export type Phase = WithoutPieces<Task>
type WithoutPieces<T> = T extends { pieces: unknown } ? Omit<T, 'pieces'> : never

/** Gives each worker the same task, with which it takes pieces until none is left. Returns what each of them returned. */
export function takePieces<Result = void>(task: Phase, count: number, { workers, run }: Workers): Promise<Result[]> {
  const pieces = { next: sharedUint32(1), count }
  const tasks = Array.from({ length: Math.min(workers, count) }, () => run({ ...task, pieces } as Task))
  return Promise.all(tasks) as Promise<Result[]>
}

/** A string must be copied to get to a worker. That pays off only for texts that are not ASCII, whose words take longer. */
async function contentsOf(texts: readonly string[], workers: number, run: Workers['run']) {
  const contents: (string | Uint8Array)[] = [...texts]
  const foreign = texts.flatMap((text, at) => (isAscii(text) ? [] : [at]))
  // A worker's next text lies far from its last one, so that all have about the same to do.
  const shares = Array.from({ length: Math.min(workers, foreign.length) }, (_, worker) =>
    foreign.filter((_, at) => at % workers === worker),
  )
  const folding = shares.map(async (share) => {
    const folded = await run({ phase: 'fold', texts: share.map((text) => texts[text]) })
    for (const [at, text] of share.entries()) contents[text] = (folded as Uint8Array[])[at]
  })
  await Promise.all(folding)
  return contents
}

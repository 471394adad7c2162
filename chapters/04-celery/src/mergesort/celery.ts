/** The same numbers sorted on Celery, in Python, on the same Redis. */
import type { Python } from '../celery/python.ts'
import { startCeleryPeer } from '../throughput/celery-peer.ts'

/** Times in ms; `localMs` is without workers. */
export interface CeleryResult {
  version: string
  /** As in the book: the task is the recursive function itself. */
  book: { ms: number; localMs?: number | undefined }
  /** The task calls a plain recursive function. */
  plain: { ms: number; localMs?: number | undefined }
}

export interface CeleryOptions {
  url: string
  workers: number
  n: number
  chunks: number
  seed: number
  /** Whether to sort without workers too. */
  local: boolean
  signal: AbortSignal
  onProgress: (doing: string) => void
}

export async function sortWithCelery(
  python: Python,
  { url, workers, n, chunks, seed, local, signal, onProgress }: CeleryOptions,
): Promise<CeleryResult> {
  await using peer = await startCeleryPeer(python, { url, workers, signal })
  const sort = async (itself: boolean) => {
    onProgress(`sorting with Celery, in Python, ${itself ? 'as the book does' : 'by a plain function'}`)
    const { sorted, ...took } = await peer.mergesort({ n, chunks, seed, itself, local })
    if (!sorted) throw new Error('Celery did not sort')
    return took
  }
  return { version: python.version, book: await sort(true), plain: await sort(false) }
}

/** Celery in Python, on the same Redis: its workers, and a client that does what this chapter does. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { runCeleryClient, startCeleryWorker } from '../celery/programs.ts'
import type { Python } from '../celery/python.ts'
import { clearCelery } from '../celery/worker.ts'

const file = new URL('./celery_peer.py', import.meta.url)

const mergesorted = z.object({ ms: z.number(), sorted: z.boolean(), localMs: z.number().optional() })
const emptied = z.object({ ms: z.number(), sentMs: z.number(), done: z.number() })

export interface CelerySort {
  n: number
  chunks: number
  seed: number
  itself: boolean
  local: boolean
}

export interface CeleryPeer extends AsyncDisposable {
  /**
   * Sorts as the book does: a group of chunks, each sorted by a recursive merge sort in Python, merged by the client.
   * With `itself` the task is the recursive function, as in the book; without, it calls a plain one. With `local` it
   * then sorts without workers too.
   */
  mergesort: (what: CelerySort) => Promise<z.infer<typeof mergesorted>>
  /** Runs `n` empty tasks from end to end: sent, done, all results received. Times in ms. */
  empties: (n: number) => Promise<z.infer<typeof emptied>>
}

export interface CeleryPeerOptions {
  url: string
  /** Processes that run tasks. */
  workers: number
  signal?: AbortSignal | undefined
}

/** Starts a Celery worker; nothing of it stays in Redis when it is disposed of. */
export async function startCeleryPeer(
  python: Python,
  { url, workers, signal }: CeleryPeerOptions,
): Promise<CeleryPeer> {
  const queue = `celery-peer-${randomUUID()}`
  const worker = await startCeleryWorker(python, { url, queue, concurrency: workers, signal }, file)
  // Without its worker the client would wait for its results until its own time is over.
  const untilLost = signal ? AbortSignal.any([signal, worker.lost]) : worker.lost
  async function ask<T>(schema: z.ZodType<T>, command: object): Promise<T> {
    const options = { url, queue, signal: untilLost }
    const [answer] = await runCeleryClient(python, file, options, JSON.stringify(command))
    return schema.parse(answer)
  }
  return {
    mergesort: (what) => ask(mergesorted, { command: 'mergesort', ...what }),
    empties: (n) => ask(emptied, { command: 'empties', n }),
    async [Symbol.asyncDispose]() {
      await worker.stop()
      await clearCelery(url, queue)
    },
  }
}

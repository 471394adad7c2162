/** Celery beside us, on the same Redis: its worker, and a client that does what it is told, run by the system's Python. */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startServer } from '@repo/common/process/child'
import { Redis } from 'ioredis'
import { z } from 'zod'
import type { Python } from '../celery/python.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

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
   * The book's kind of merge sort: a group of chunks, each sorted by a recursive merge sort in Python, merged by the client.
   * With `itself` the task is the recursive function, as in the book; without, it calls a plain one. With `local` the same
   * without workers afterwards.
   */
  mergesort: (what: CelerySort) => Promise<z.infer<typeof mergesorted>>
  /** So many empty tasks from end to end: sent, done, all results received. */
  empties: (n: number) => Promise<z.infer<typeof emptied>>
}

export interface CeleryPeerOptions {
  url: string
  /** How many processes run tasks. */
  workers: number
  signal?: AbortSignal | undefined
}

/** Starts a Celery worker; nothing of it stays in Redis when it is disposed of. */
export async function startCeleryPeer(
  { command }: Python,
  { url, workers, signal }: CeleryPeerOptions,
): Promise<CeleryPeer> {
  const queue = `celery-peer-${randomUUID()}`
  // The URL has the password: not on the command line, which everybody may read.
  const env = { REDIS_URL: url, QUEUE: queue, PYTHONDONTWRITEBYTECODE: '1' }
  const worker = await startServer({
    command,
    cwd: folder,
    env,
    signal,
    ready: /ready\.$/,
    args: [
      '-m',
      'celery',
      '-A',
      'celery_peer',
      'worker',
      '--concurrency',
      String(workers),
      '--hostname',
      `${queue}@%h`,
      '--loglevel',
      'INFO',
      '--without-gossip',
      '--without-mingle',
      '--without-heartbeat',
    ],
  })
  async function ask<T>(schema: z.ZodType<T>, what: object): Promise<T> {
    let answer = ''
    const onLine = (line: string) => {
      if (line.startsWith('{')) answer = line
    }
    await using _client = await startServer({
      command,
      cwd: folder,
      env,
      signal,
      onLine,
      ready: /^\{/,
      readyTimeoutMs: 600_000,
      args: ['celery_peer.py', JSON.stringify(what)],
    })
    return schema.parse(JSON.parse(answer))
  }
  return {
    mergesort: (what) => ask(mergesorted, { command: 'mergesort', ...what }),
    empties: (n) => ask(emptied, { command: 'empties', n }),
    async [Symbol.asyncDispose]() {
      await worker.stop()
      const redis = new Redis(url)
      try {
        await redis.del(queue, `_kombu.binding.${queue}`)
      } finally {
        redis.disconnect()
      }
    },
  }
}

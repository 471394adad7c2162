/** Measures how much memory a process needs to move a large object that it never holds as a whole. */
import { createCipheriv, type createHash } from 'node:crypto'
import { startProgram } from '@repo/common/process/child'
import type { Place } from '../cloud/place.ts'
import type { Target } from './parts.ts'

/** `parts` is src/storage/parts.ts, `library` is Amazon's own @aws-sdk/lib-storage. */
export type StreamWay = 'upload by parts' | 'download by parts' | 'upload by library'

export interface StreamTask extends Target {
  way: StreamWay
  place: Place
  bytes: number
}

export interface StreamResult {
  bytes: number
  ms: number
  /** Of the data that was sent or received. */
  sha256: string
  /** The process's resident memory before the transfer, and its maximum. */
  restBytes: number
  peakBytes: number
}

/** Runs a transfer in its own process, so that nothing else counts as its memory. */
export async function measureStream(task: StreamTask, signal?: AbortSignal): Promise<StreamResult> {
  await using program = await startProgram<StreamResult>(new URL('./stream.program.ts', import.meta.url), {
    env: { STREAM_TASK: JSON.stringify(task) },
    signal,
    // The program calls `ready` when the transfer is done.
    readyTimeoutMs: 600_000,
  })
  return program.info
}

const chunkBytes = 64 << 10

/** Bytes that look random and are the same in every run: a cipher's key stream. The caller may keep the chunks. */
export function* pseudoRandom(bytes: number): Generator<Buffer, void> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  const zeros = Buffer.alloc(chunkBytes)
  for (let left = bytes; left > 0; left -= chunkBytes) yield cipher.update(zeros.subarray(0, left))
}

/** Passes a stream on, and hashes it on the way. */
export async function* hashing(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

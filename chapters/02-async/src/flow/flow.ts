/** What every flow of data consists of: a producer as fast as possible, a slow consumer, and room for a few chunks. */
import { Writable } from 'node:stream'
import { WritableStream } from 'node:stream/web'
import { setTimeout as delay } from 'node:timers/promises'

export const chunkBytes = 256 * 1024
const roomBytes = 4 * chunkBytes

export interface Flow {
  /** How many chunks to send. */
  chunks: number
  /** How long the consumer takes for each, in milliseconds. */
  consumeMs: number
  /** Called for each chunk when it is made, and when it has been consumed. */
  onProduced: () => void
  onConsumed: (chunk: Buffer) => void
}

/** Sends all chunks of a flow. With `waits` the producer heeds back-pressure. Resolves when all have been consumed. */
export type Send = (flow: Flow, waits: boolean) => Promise<void>

/** Makes a chunk. Its bytes are written, so that they really take memory. */
export function produce(flow: Flow): Buffer {
  flow.onProduced()
  return Buffer.alloc(chunkBytes, 'x')
}

export async function consume(flow: Flow, chunk: Buffer): Promise<void> {
  await delay(flow.consumeMs)
  flow.onConsumed(chunk)
}

/** The consumer as a Node stream. */
export function nodeSink(flow: Flow): Writable {
  return new Writable({
    highWaterMark: roomBytes,
    write: (chunk: Buffer, _, done) => void consume(flow, chunk).then(() => done(), done),
  })
}

/** The consumer as a web stream. */
export function webSink(flow: Flow): WritableStream<Buffer> {
  return new WritableStream(
    { write: (chunk: Buffer) => consume(flow, chunk) },
    { highWaterMark: roomBytes, size: (chunk: Buffer) => chunk.length },
  )
}

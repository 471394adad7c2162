/** One producer that waits for the slowest of its consumers. */
import type { Writable } from 'node:stream'

/**
 * Writes every chunk to all streams, never to one that is full, and ends them. Resolves when all have finished. If a stream
 * fails, takes no more chunks, destroys the others, and rejects with the error.
 */
export async function sendToAll(_source: Iterable<string>, _sinks: readonly Writable[]): Promise<void> {
  // Your code: what does write() return, and which events say that there is room, or never will be?
}

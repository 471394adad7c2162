/** One producer that waits for the slowest of its consumers. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

/**
 * Writes every chunk to all streams, never to one that is full, and ends them. Resolves when all have finished. If a stream
 * fails, takes no more chunks, destroys the others, and rejects with the error.
 */
export async function sendToAll(source: Iterable<string>, sinks: readonly Writable[]): Promise<void> {
  // Watched from the beginning: any of them may fail while we wait for another.
  const allFinished = Promise.all(sinks.map((sink) => finished(sink)))
  allFinished.catch(() => {})
  try {
    for (const chunk of source) {
      const full = sinks.filter((sink) => !sink.write(chunk))
      // Listen to all before waiting for one: a drain that nobody listens to is lost.
      const drained = Promise.all(full.map((sink) => once(sink, 'drain')))
      await Promise.race([drained, allFinished])
    }
    for (const sink of sinks) sink.end()
    await allFinished
  } catch (error) {
    for (const sink of sinks) sink.destroy()
    throw error
  }
}

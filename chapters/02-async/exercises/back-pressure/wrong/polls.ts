// The checker says: It polls, or waits for a time, instead of waiting for an event.
/** Looks at each turn of the event loop whether there is room. */
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'

export async function sendToAll(source: Iterable<string>, sinks: readonly Writable[]): Promise<void> {
  const allFinished = Promise.all(sinks.map((sink) => finished(sink)))
  allFinished.catch(() => {})
  try {
    for (const chunk of source) {
      for (const sink of sinks) sink.write(chunk)
      while (sinks.some((sink) => sink.writableNeedDrain)) await Promise.race([setImmediate(), allFinished])
    }
    for (const sink of sinks) sink.end()
    await allFinished
  } catch (error) {
    for (const sink of sinks) sink.destroy()
    throw error
  }
}

/** From which size parallel work pays for its messages. */
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { interleave } from '@repo/common/measure'
import { isoefficiency } from '../laws/laws.ts'
import type { Trips, Way } from './messages.ts'
import { sumOf } from './payload.ts'

/** What it costs to have a message of one size received, beside the work on it. */
export interface Message {
  bytes: number
  ms: number
}

/**
 * The messages' own costs: the round trips without the adding up that the receiver does in them, and never less than the
 * shortest trip, as the difference of two measured times can be anything where they are close.
 */
export function messagesOf(trips: readonly Trips[], way: Way): Message[] {
  const shortest = Math.min(...trips.map((trip) => trip[way].ms))
  return trips.map(({ bytes, here, [way]: { ms } }) => ({ bytes, ms: Math.max(shortest, ms - here.ms) }))
}

/**
 * How much work per byte, in nanoseconds, gives two threads an efficiency when one of them sends the other half of the
 * data: isoefficiency with the message as the only overhead. At an efficiency of 1/2 it is just as fast as one thread.
 */
export function workPerByte({ bytes, ms }: Message, efficiency: number): number {
  // While the message is under way, neither of the two works.
  const overhead = () => 2 * ms * 1e6
  return isoefficiency(efficiency, 2, overhead) / (2 * bytes)
}

/**
 * The smallest of the measured sizes from which on sending half of the data to a second thread makes work of so many
 * nanoseconds per byte faster; undefined when it does not at the largest one.
 */
export function breakEven(messages: readonly Message[], nsPerByte: number): number | undefined {
  const ascending = messages.toSorted((a, b) => a.bytes - b.bytes)
  const last = ascending.findLastIndex((message) => workPerByte(message, 0.5) > nsPerByte)
  return ascending[last + 1]?.bytes
}

/** Real work on a text, from little of it to much. */
const works = {
  'adding up': (text: Uint8Array<ArrayBuffer>) => sumOf(new Int32Array(text.buffer)),
  'SHA-256': (text: Uint8Array<ArrayBuffer>) => createHash('sha256').update(text).digest(),
  'counting words': countWords,
  compressing: (text: Uint8Array<ArrayBuffer>) => deflateSync(text),
}

/** How many runs of ASCII letters there are. */
export function countWords(text: Uint8Array): number {
  let words = 0
  let inWord = false
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] | 32
    const isLetter = letter >= 97 && letter <= 122
    if (isLetter && !inWord) words++
    inWord = isLetter
  }
  return words
}

/** How many nanoseconds each kind of work takes for a byte of the text, of whose length a multiple of 4 is used. */
export async function measureWorks(text: string, signal?: AbortSignal): Promise<{ work: string; nsPerByte: number }[]> {
  const bytes = new Uint8Array(Buffer.byteLength(text) & ~3)
  new TextEncoder().encodeInto(text, bytes)
  const ways = Object.entries(works).map(([work, run]) => [work, () => void run(bytes)] as const)
  const timings = await interleave(Object.fromEntries(ways), { signal })
  return Object.entries(timings).map(([work, { ms }]) => ({ work, nsPerByte: (1e6 * ms) / bytes.length }))
}

/** The size at which parallel work begins to pay for its messages. */
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { interleave } from '@repo/common/measure'
import { isoefficiency } from '../laws/laws.ts'
import { sumOf } from './payload.ts'
import type { Trips } from './round-trips.ts'

/** The time to deliver data of one size, without the work on it. */
export interface Message {
  bytes: number
  ms: number
}

/**
 * The cost of the messages alone: round trips without the adding up that the receiver does in them. The difference
 * between two measured times that are close is mostly noise, so a message never costs less than the shortest trip.
 */
export function messagesOf<Way extends string>(trips: readonly Trips<Way>[], way: Way): Message[] {
  const shortest = Math.min(...trips.map((trip) => trip[way].ms))
  return trips.map(({ bytes, here, [way]: { ms } }) => ({ bytes, ms: Math.max(shortest, ms - here.ms) }))
}

/**
 * The work per byte, in nanoseconds, that gives two threads an efficiency when one of them sends half of the data to
 * the other: isoefficiency with the message as the only overhead. At an efficiency of 1/2 two threads are as fast as
 * one.
 */
// #region work-per-byte
export function workPerByte({ bytes, ms }: Message, efficiency: number): number {
  // Neither thread works while the message is under way.
  const overhead = () => 2 * ms * 1e6
  return isoefficiency(efficiency, 2, overhead) / (2 * bytes)
}
// #endregion work-per-byte

/**
 * The smallest measured size at which sending half of the data to a second thread pays off, for work of `nsPerByte`
 * nanoseconds per byte; undefined if it does not pay off at the largest size.
 */
export function breakEven(messages: readonly Message[], nsPerByte: number): number | undefined {
  const ascending = messages.toSorted((a, b) => a.bytes - b.bytes)
  const last = ascending.findLastIndex((message) => workPerByte(message, 0.5) > nsPerByte)
  return ascending[last + 1]?.bytes
}

/** Real work on a text, from light to heavy. */
const works = {
  'adding up': (text: Uint8Array<ArrayBuffer>) => sumOf(new Int32Array(text.buffer)),
  'SHA-256': (text: Uint8Array<ArrayBuffer>) => createHash('sha256').update(text).digest(),
  'counting words': countWords,
  compressing: (text: Uint8Array<ArrayBuffer>) => deflateSync(text),
}

/** The number of runs of ASCII letters. */
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

/** The nanoseconds per byte of a text that each kind of work takes. */
export async function measureWorks(text: string, signal?: AbortSignal): Promise<{ work: string; nsPerByte: number }[]> {
  // Whole numbers of four bytes, for adding up.
  const bytes = new Uint8Array(Buffer.byteLength(text) & ~3)
  new TextEncoder().encodeInto(text, bytes)
  const ways = Object.entries(works).map(([work, run]) => [work, () => void run(bytes)] as const)
  const timings = await interleave(Object.fromEntries(ways), { signal })
  return Object.entries(timings).map(([work, { ms }]) => ({ work, nsPerByte: (1e6 * ms) / bytes.length }))
}

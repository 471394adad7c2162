/** What wordcount found, in lines for the reader. */
import type { Speedup } from '@repo/common/measure'
import { bytes, count, milliseconds, percent, table, times } from '@repo/common/output/terminal'

export interface Summary {
  objects: number
  bytes: number
  words: number
  distinct: number
  top: { word: string; count: number }[]
  uploaded: number
  uploadMs: number
  workers: number
  repeat: number
  ms: number
  /** Of one pass in this process. */
  localMs: number
  killed: number
  /** Jobs that were begun again. */
  again: number
}

export function summaryLines(result: Summary, visibilitySeconds: number, measured?: Speedup): string[] {
  const { uploaded, uploadMs, workers, repeat, ms, localMs, killed, again } = result
  const rows = result.top.map(({ word, count: times }) => [word, count(times)])
  const lines = [
    '',
    table(['the words used most', 'times'], rows),
    '',
    `${count(result.words)} words, ${count(result.distinct)} of them distinct, in ${result.objects} objects of ${bytes(result.bytes)}.`,
    uploaded === 0
      ? 'All addresses were there with the same checksum: nothing was uploaded.'
      : `Uploading ${uploaded} addresses took ${milliseconds(uploadMs)}.`,
    `${workers} workers counted in ${milliseconds(ms)}${repeat > 1 ? `, each text ${repeat} times` : ''}; one pass in this process takes ${milliseconds(localMs)}, with the same result.`,
  ]
  if (killed > 0) {
    lines.push(
      `${killed} killed: ${again} of their jobs came back after ${visibilitySeconds} s and were done by others.`,
    )
  }
  if (measured) {
    lines.push(
      `${times(measured.speedup)} as fast with ${workers} workers (${milliseconds(measured.parallelMs)}) as with one (${milliseconds(measured.serialMs)}); this machine's ceiling is ${times(measured.ceiling)} (${measured.cores} cores): efficiency ${percent(measured.efficiency)}.`,
    )
  }
  return lines
}

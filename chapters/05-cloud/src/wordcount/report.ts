/** What wordcount found, in lines and as a picture. */
import type { Speedup } from '@repo/common/measure'
import { draw, palette } from '@repo/common/output/plots'
import { bytes, count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { decadeOf } from './addresses.ts'

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
  /** Median time of a single worker, if it was measured. */
  oneWorkerMs?: number
  killed: number
  /** Jobs that were begun again. */
  again: number
}

export function summaryLines(result: Summary, visibilitySeconds: number, measured?: Speedup): string[] {
  const { uploaded, uploadMs, workers, repeat, ms, oneWorkerMs, killed, again } = result
  const rows = result.top.map(({ word, count: times }) => [word, count(times)])
  const lines = [
    '',
    table(['the words used most', 'times'], rows),
    '',
    `${count(result.words)} words, ${count(result.distinct)} of them distinct, in ${result.objects} objects of ${bytes(result.bytes)}.`,
    uploaded === 0
      ? 'All addresses were there with the same checksum: nothing was uploaded.'
      : `Uploading ${uploaded} addresses took ${milliseconds(uploadMs)}.`,
    `${workers} workers counted in ${milliseconds(ms)}${repeat > 1 ? `, each text ${repeat} times` : ''}; a plain program on one thread finds the same.`,
  ]
  if (killed > 0) {
    lines.push(
      `${killed} killed: ${again} of their jobs came back after ${visibilitySeconds} s and were done by others.`,
    )
  }
  if (measured && oneWorkerMs !== undefined) {
    lines.push(
      `One worker: ${milliseconds(oneWorkerMs)}. ${workers} workers: ${milliseconds(measured.parallelMs)}, ${times(measured.speedup)} as fast as one thread alone; this machine's ceiling is ${times(measured.ceiling)} (${measured.cores} cores): efficiency ${percent(measured.efficiency)}.`,
    )
  }
  return lines
}

/** Words by decade, in order, from the words of each address. */
export function wordsByDecade(objects: readonly { key: string; words: number }[]): { decade: number; words: number }[] {
  const decades = new Map<number, number>()
  for (const { key, words } of objects) decades.set(decadeOf(key), (decades.get(decadeOf(key)) ?? 0) + words)
  return [...decades].map(([decade, words]) => ({ decade, words })).sort((a, b) => a.decade - b.decade)
}

/** Draws a bar for each decade. Returns SVG text. */
export function decadePlot(objects: readonly { key: string; words: number }[]): string {
  const bars = wordsByDecade(objects).map(({ decade, words }) => ({ decade: `${decade}s`, words }))
  return draw({
    title: 'Words in the State of the Union addresses',
    subtitle: `${count(objects.length)} addresses, by decade`,
    x: {
      label: '',
      type: 'band',
      domain: bars.map(({ decade }) => decade),
      // Only every second name fits.
      ticks: bars.flatMap(({ decade }, at) => (at % 2 === 0 ? [decade] : [])),
    },
    y: { label: 'thousand words', tickFormat: (value) => String(Number(value) / 1000) },
    width: 960,
    marks: (plot) => [plot.barY(bars, { x: 'decade', y: 'words', fill: palette[0] })],
  })
}

/** How much the presidents say: words by decade, as a picture. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import { count } from '@repo/common/output/terminal'
import { decadeOf } from './addresses.ts'

/** Words by decade, in order, from the words of each address. */
export function wordsByDecade(objects: readonly { key: string; words: number }[]): { decade: number; words: number }[] {
  const decades = new Map<number, number>()
  for (const { key, words } of objects) decades.set(decadeOf(key), (decades.get(decadeOf(key)) ?? 0) + words)
  return [...decades].map(([decade, words]) => ({ decade, words })).sort((a, b) => a.decade - b.decade)
}

/** A bar for each decade. Returns SVG text. */
export function decadePlot(objects: readonly { key: string; words: number }[]): string {
  const bars = wordsByDecade(objects).map(({ decade, words }) => ({ decade: `${decade}s`, words }))
  return draw({
    title: 'Words in the State of the Union addresses',
    subtitle: `${count(objects.length)} addresses, by decade`,
    x: {
      label: '',
      type: 'band',
      domain: bars.map(({ decade }) => decade),
      // There is room for every second name.
      ticks: bars.flatMap(({ decade }, at) => (at % 2 === 0 ? [decade] : [])),
    },
    y: { label: 'thousand words', tickFormat: (value) => String(Number(value) / 1000) },
    width: 960,
    marks: [Plot.barY(bars, { x: 'decade', y: 'words', fill: palette[0] })],
  })
}

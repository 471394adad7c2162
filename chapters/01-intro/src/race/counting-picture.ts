/** What an addition costs in each way of the `race` example, as a picture. */
import { barPlot, palette } from '@repo/common/output/plots'
import type { Way } from './counting.ts'

/** In words. */
export const names: Record<Way, string> = {
  unprotected: 'one counter, unprotected',
  atomic: 'one counter, Atomics.add',
  mutex: 'one counter, mutex',
  adjacent: 'a counter each, side by side',
  padded: 'a counter each, 128 bytes apart',
}

/** Returns SVG text. */
export function drawCounting(
  rows: readonly { way: Way; nsPerAddition: number }[],
  aloneNs: number,
  title: string,
  subtitle: string,
): string {
  return barPlot({
    title,
    subtitle,
    x: { label: 'nanoseconds per addition, wall-clock time by all additions' },
    bars: [
      { name: 'one thread alone', value: aloneNs, label: aloneNs.toFixed(2), color: palette[5] },
      ...rows.map(({ way, nsPerAddition: value }) => ({
        name: names[way],
        value,
        label: value.toFixed(2),
        color: way === 'unprotected' ? palette[4] : palette[0],
      })),
    ],
  })
}

/** A time line of a computation that is killed: how far it was, over time, falling back at each death. */
import { draw, palette } from '@repo/common/output/plots'
import type { Life } from './lives.ts'

/** A line for each life, in two colours in turn, as SVG text. */
export function livesPicture(lives: Pick<Life, 'samples'>[], subtitle: string): string {
  return draw({
    title: `One computation in ${lives.length} lives`,
    subtitle,
    x: { label: 'seconds' },
    y: { label: 'numbers looked at', tickFormat: '~s' },
    marginLeft: 80,
    marks: (plot) =>
      lives.map(({ samples }, at) => {
        // A few hundred points are as many as can be seen.
        const every = Math.ceil(samples.length / 100)
        const kept = samples.filter((_, index) => index % every === 0 || index === samples.length - 1)
        const seconds = ({ ms }: (typeof samples)[number]) => ms / 1000
        return plot.line(kept, { x: seconds, y: 'next', strokeWidth: 2.5, stroke: palette[at % 2] ?? palette[0] })
      }),
  })
}

/** COST and growth for readers: a line, and a picture. */
import { type Cost, type Growth, growthSlope } from '../cost.ts'
import { linePlot } from './plots.ts'
import { milliseconds } from './terminal.ts'

/**
 * Returns the COST in a line.
 *
 * @param unit what is counted, in the plural
 * @param best what is beaten, where another name says more
 */
export function describeCost(
  { bestSerialMs, cost }: Cost,
  unit = 'workers',
  best = 'the best plain program on one thread',
): string {
  const none = typeof cost === 'string' ? ', and none was faster' : ''
  return `COST in ${unit}: ${cost}; ${best} takes ${milliseconds(bestSerialMs)}${none}.`
}

/**
 * Draws time against size on logarithmic axes, a line for each way to do the work, named with its slope. Returns SVG text.
 *
 * @param ways the measured points of each way, by its name
 * @param what what is counted in a size, such as `numbers`
 */
export function drawGrowth(title: string, what: string, ways: Record<string, readonly Growth[]>): string {
  return linePlot({
    title,
    subtitle: 'a slope of 1: twice the work takes twice the time',
    x: { label: what, type: 'log' },
    y: { label: 'milliseconds', type: 'log' },
    series: Object.entries(ways).map(([name, points]) => ({
      name: `${name} (slope ${growthSlope(points).toFixed(2)})`,
      points: points.map(({ size, ms }) => ({ x: size, y: ms })),
    })),
  })
}

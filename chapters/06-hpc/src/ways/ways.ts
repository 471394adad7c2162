/** Ways to do the same thing: timed in turns, compared and drawn. */
import { interleave } from '@repo/common/measure'
import { barPlot, palette } from '@repo/common/output/plots'
import { times } from '@repo/common/output/terminal'

/** Does something once or more. Returns how long one took, in ms. */
export type Way = () => Promise<number>

/** A way that does something `times` times. Times for one are compared, so slow ways may do it fewer times. */
export const each = (times: number, run: (times: number) => Promise<unknown>): Way => {
  return async () => {
    const begun = performance.now()
    await run(times)
    return (performance.now() - begun) / times
  }
}

// #region one-by-one-or-together
/** One after another. */
export const oneByOne = (run: (at: number) => Promise<unknown>) => async (times: number) => {
  for (let at = 0; at < times; at++) await run(at)
}

/** All at once. */
export const together = (run: (at: number) => Promise<unknown>) => async (times: number) => {
  await Promise.all(Array.from({ length: times }, (_, at) => run(at)))
}
// #endregion one-by-one-or-together

export interface Measured {
  way: string
  ms: number
  perSecond: number
  /** Times as fast as the first way. */
  speedup: number
}

/** Times each way in turn, round after round, and compares it with one of them. */
export async function compare(
  ways: Record<string, Way>,
  { base, ...options }: { base: string } & Parameters<typeof interleave>[1],
): Promise<Measured[]> {
  const timings = await interleave(ways, options)
  const baseMs = timings[base]?.ms ?? Number.NaN
  return Object.entries(timings).map(([way, { ms }]) => ({ way, ms, perSecond: 1_000 / ms, speedup: baseMs / ms }))
}

/** Draws how many times as fast each way is. Returns SVG text. */
export function drawWays(host: string, commands: readonly Measured[], files: readonly Measured[]): string {
  const bars = [...commands, ...files].map(({ way, speedup }, at) => {
    return { name: way, value: speedup, label: times(speedup), color: palette[at < commands.length ? 0 : 1] }
  })
  const subtitle = 'commands against ssh for each, 10 at a time; small files against one after the other'
  return barPlot({ title: `One connection to ${host}`, subtitle, x: { label: 'times as fast' }, bars })
}

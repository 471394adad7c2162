/** Log lines as a reader sees them, and the story of one order, by the clocks and merged. */
import { smallest } from '@repo/common/extremes'
import { bold, dim, red, yellow } from '@repo/common/output/terminal'
import { type LogLine, mostTornApart } from './lines.ts'

/** Returns one line, with the time since `start`, or the time of day. */
export function lineText({ process, time, level, message, order, rest }: LogLine, start = 0): string {
  const at =
    start > 0 ? `${((time - start) / 1000).toFixed(3).padStart(8)} s` : new Date(time).toISOString().slice(11, 23)
  const color = level === 'warn' ? yellow : level === 'error' ? red : (text: string) => text
  const more = Object.keys(rest).length > 0 ? dim(` ${JSON.stringify(rest)}`) : ''
  return `${at}  ${process.padEnd(10)} ${color(level.padEnd(5))} ${(order ?? '').padEnd(9)} ${message}${more}`
}

/** Returns the lines about the order whose clocks are furthest apart, in the order of cause and effect. */
export function storyOf(merged: readonly LogLine[]): LogLine[] {
  const told = mostTornApart(merged)
  return merged.filter(({ order, level }) => order === told && level !== 'debug')
}

/** Tells the story twice: sorted by the clocks, and in causal order. */
export function storyText(story: readonly LogLine[]): string[] {
  const start = smallest(story.map(({ time }) => time))
  const tell = (lines: readonly LogLine[]) => lines.map((line) => lineText(line, start))
  return [
    '',
    bold(`The story of ${story[0]?.order}, by the clocks:`),
    ...tell(story.toSorted((a, b) => a.time - b.time)),
    '',
    bold('The same, merged by cause and effect:'),
    ...tell(story),
    '',
  ]
}

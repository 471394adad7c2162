/**
 * Text for a reader: styles, tables and numbers. There are no styles with NO_COLOR, nor where standard output is not a
 * terminal.
 */
import { styleText } from 'node:util'
import Table from 'cli-table3'

type Format = Parameters<typeof styleText>[0]
const style = (format: Format) => (text: string) => styleText(format, text, { stream: process.stdout })

export const bold = style('bold')
export const dim = style('dim')
export const green = style('green')
export const yellow = style('yellow')
export const red = style('red')

/** A cell of a table. */
export type Cell = string | number

/** Returns a table with a heading line. Columns of numbers, with or without a unit, are aligned to the right. */
export function table(head: string[], rows: Cell[][]): string {
  const isNumeric = (cell: Cell | undefined) => /^[−-]?\d[\d,]*(\.\d+)?( ?[^\d\s.]{1,4})?$|^$/.test(String(cell ?? ''))
  const grid = new Table({
    head: head.map(bold),
    colAligns: head.map((_, column) =>
      rows.length > 0 && rows.every((row) => isNumeric(row[column])) ? 'right' : 'left',
    ),
    style: { head: [], border: [], compact: true },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      right: '',
      'right-mid': '',
      mid: '',
      'mid-mid': '',
      middle: '',
    },
  })
  for (const row of rows) grid.push(row.map(String))
  return grid.toString()
}

/** Formats a time: `0.42 ms`, `138 ms`, `12.3 s`. */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms >= 1_000) return `${(ms / 1000).toFixed(2)} s`
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toPrecision(2)} ms`
}

/** Formats a time of any size, in nanoseconds: `2.1 ns`, `35 µs`, `100 ms`. */
export function duration(ns: number): string {
  const units = ['ns', 'µs', 'ms', 's']
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(ns) / 3)))
  const scaled = ns / 1000 ** at
  return `${scaled >= 10 ? scaled.toFixed(0) : Number(scaled.toPrecision(2))} ${units[at]}`
}

/** Formats a count: `27,028`. */
export function count(value: number): string {
  return value.toLocaleString('en')
}

/** Formats a count of things, named in the singular: `1 core`, `2 cores`, `1,000 worker processes`, `0 retries`. */
export function howMany(value: number, thing: string): string {
  const things = /(?:s|x|ch)$/.test(thing) ? `${thing}es` : `${thing}s`.replace(/(?<=[^aeiou])ys$/, 'ies')
  return `${count(value)} ${value === 1 ? thing : things}`
}

/** Formats a size in decimal units: `512 B`, `1.5 kB`, `10.8 MB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)))
  const scaled = value / 1000 ** at
  return `${scaled.toFixed(at === 0 || scaled >= 100 ? 0 : 1)} ${units[at]}`
}

/** Formats a ratio: `1.93×`. */
export function times(ratio: number): string {
  return `${ratio.toFixed(2)}×`
}

/** Formats a share: `97 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

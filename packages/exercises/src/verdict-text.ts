/** A verdict as a reader sees it: at most a screen. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { withoutControlCharacters } from '@repo/common/output/control-characters'
import { bold, dim, green, milliseconds, red, yellow } from '@repo/common/output/terminal'
import { longestHistory, type Step } from './exercise.ts'
import type { Verdict } from './judge.ts'

/** A tab has a width of its own. */
const clean = (text: string) => withoutControlCharacters(text.replaceAll(/[\t\r]/g, ' '))
const clip = (text: string, width: number) => (text.length > width ? `${text.slice(0, width - 1)}…` : text)

/** Returns the lines of a verdict. */
export function verdictText({ exercise, file, passed, ms, fault, printed }: Verdict, columns = 100): string {
  const lines = printed.map((line) => dim(`  │ ${clip(clean(line), columns - 4)}`))
  if (passed || !fault) return [...lines, `${green('✓')} ${bold(exercise)} holds (${milliseconds(ms)})`].join('\n')
  lines.push(`${red('✗')} ${bold(exercise)}: ${bold(clip(clean(fault.says), 2 * columns))}`)
  if (fault.expected !== undefined || fault.received !== undefined) lines.push('')
  if (fault.expected !== undefined) lines.push(`  expected  ${clip(clean(fault.expected), columns - 12)}`)
  if (fault.received !== undefined) lines.push(`  received  ${clip(clean(fault.received), columns - 12)}`)
  const history = (fault.history ?? []).slice(-longestHistory)
  if (history.length > 0) lines.push('', ...diagram(history, columns))
  const line = fault.line ?? history.findLast((step) => step.line !== undefined)?.line
  if (line !== undefined)
    lines.push('', `  ${yellow(`${relative(process.cwd(), file)}:${line}`)}  ${clip(codeAt(file, line), columns - 12)}`)
  if (fault.why !== undefined) lines.push('', ...wrap(clean(fault.why), columns - 2).map((text) => `  ${text}`))
  return lines.join('\n')
}

/** A column for each participant; time runs downwards. */
function diagram(history: readonly Step[], columns: number): string[] {
  const names = [...new Set(history.flatMap(({ who, to }) => (to === undefined ? [who] : [who, to])))]
  const text = ({ what, to }: Step) => clean(to === undefined ? what : `${what} ──▶ ${to}`)
  const room = Math.floor((columns - 8) / names.length)
  const widths = names.map((name) =>
    Math.min(
      Math.max(name.length, ...history.filter(({ who }) => who === name).map((step) => text(step).length)) + 2,
      Math.max(room, 14),
    ),
  )
  const row = (cells: string[]) =>
    cells.map((cell, at) => clip(cell, (widths[at] ?? 2) - 2).padEnd(widths[at] ?? 0)).join('')
  const heading = `        ${row(names)}`.trimEnd()
  return [
    bold(heading),
    ...history.map((step, at) => {
      const line = step.line === undefined ? '' : `:${step.line}`
      const cells = names.map((name) => (name === step.who ? text(step) : '·'))
      return `  ${String(at + 1).padStart(2)}${line.padEnd(4)}${row(cells)}`.trimEnd()
    }),
  ]
}

function codeAt(file: string, line: number): string {
  try {
    return (readFileSync(file, 'utf8').split('\n')[line - 1] ?? '').trim()
  } catch {
    return ''
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

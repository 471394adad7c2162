/** Regions of source files: the lines between `// #region name` and `// #endregion name`, for the texts. */
import type { Fault } from './text.ts'

export interface Region {
  name: string
  /** The line of its start, counted from 1. */
  line: number
  /** Its code, without indentation that all its lines share, and without the lines of other regions. */
  code: string
}

const tag = /^\s*(?:\/\/|#) ?#(end)?region\b\s*(.*?)\s*$/
const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/

/** Reads the regions of a source file. They may nest and overlap. */
export function readRegions(file: string, source: string): { regions: Map<string, Region>; faults: Fault[] } {
  const regions = new Map<string, Region>()
  const faults: Fault[] = []
  const open = new Map<string, { line: number; lines: string[] }>()
  const fault = (line: number, message: string) => void faults.push({ file, line, message })

  for (const [at, text] of source.split('\n').entries()) {
    const line = at + 1
    const [matched, end, name = ''] = tag.exec(text) ?? []
    if (matched === undefined) {
      for (const { lines } of open.values()) lines.push(text)
    } else if (!kebab.test(name)) {
      fault(line, `region: received "${name}"; accepts a name in lower case with hyphens, such as on-threads`)
    } else if (end === undefined) {
      if (open.has(name) || regions.has(name))
        fault(line, `region: received a second "${name}"; accepts each name once`)
      else open.set(name, { line, lines: [] })
    } else {
      const region = open.get(name)
      open.delete(name)
      if (region === undefined) {
        fault(line, `region: received the end of "${name}"; accepts only the end of an open region`)
        continue
      }
      const code = dedent(region.lines)
      if (code === '')
        fault(region.line, `region: received "${name}" without a line; accepts at least one line of code`)
      regions.set(name, { name, line: region.line, code })
    }
  }
  for (const [name, { line }] of open) {
    fault(line, `region: received "${name}" without an end; accepts #endregion ${name} below it`)
  }
  return { regions, faults }
}

function dedent(lines: string[]): string {
  const written = lines.filter((line) => line.trim() !== '')
  const indent = Math.min(...written.map((line) => line.length - line.trimStart().length))
  return lines
    .map((line) => line.slice(indent).trimEnd())
    .join('\n')
    .replace(/^\n+|\n+$/g, '')
}

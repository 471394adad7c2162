/**
 * Where markers stand. For Markdown a line that begins with a comment is HTML: it ends the paragraph above, and the rest of
 * the line is shown without its emphasis and links. So a marker within a paragraph goes to the end of the line above, and one at
 * the start of a paragraph onto a line of its own.
 */
import { visit } from 'unist-util-visit'
import { type Fault, parse } from './text.ts'

const leading =
  /^(?<open>\s*(?:(?:[-*+]|\d+[.)])\s+|>\s?)*)(?<markers>(?:<!--\s*(?:\/claim|(?:claim|term|source):.*?)\s*-->\s*)+)(?<rest>.*)$/
const startsBlock = /^\s*(?:[-*+]|\d+[.)])\s/
/** A heading, a table's row, a fence, a line of markers, or an empty line: no paragraph goes on below it. */
const endsBlock = /^[\s>]*(?:$|#{1,6}\s|\||```|(?:<!--.*?-->\s*)+$)/

/** Returns the text with its markers where Markdown shows them as nothing, and a fault for each that was moved. */
export function placeMarkers(file: string, source: string): { source: string; faults: Fault[] } {
  const inCode = new Set<number>()
  visit(parse(source), 'code', ({ position }) => {
    for (let line = position?.start.line ?? 1; line <= (position?.end.line ?? 0); line++) inCode.add(line)
  })
  const faults: Fault[] = []
  const lines: string[] = []
  const given = source.split('\n')
  for (const [at, line] of given.entries()) {
    const { open = '', markers = '', rest = '' } = leading.exec(line)?.groups ?? {}
    const above = lines.at(-1)
    const begins = above === undefined || endsBlock.test(above) || startsBlock.test(open)
    // Alone at the start of a paragraph it stands well.
    if (markers === '' || inCode.has(at + 1) || (begins && rest === '')) {
      lines.push(line)
      continue
    }
    const message =
      'marker: received one at the start of a line, which Markdown takes for HTML; accepts it at the end of the line above or, before a paragraph, on a line of its own: npm run sync moves it'
    faults.push({ file, line: at + 1, message })
    if (begins) lines.push(open + markers.trimEnd(), open.replaceAll(/[^>\s]/g, ' ') + rest)
    else {
      // The end of a claim belongs to its last word.
      const space = markers.startsWith('<!-- /claim') ? '' : ' '
      lines[lines.length - 1] = above.trimEnd() + space + markers.trimEnd()
      if (rest !== '') lines.push(open + rest)
    }
  }
  return { source: lines.join('\n'), faults }
}

/** Terms: `<!-- term: name -->` stands before the sentence that defines it, for the glossary. */
import type { Nodes } from 'mdast'
import { visit } from 'unist-util-visit'
import { type Fault, rangeOf, sentencesOf, type Text } from './text.ts'

/** Returns the terms that are defined twice in a text, and those that no sentence follows. */
export function termFaults(text: Text): Fault[] {
  const { file, source, markers } = text
  const faults: Fault[] = []
  const lines = new Map<string, number>()
  const sentences = allSentences(text)
  for (const { name, value, line, end } of markers) {
    if (name !== 'term') continue
    const fault = (message: string) => void faults.push({ file, line, message: `term: received "${value}"${message}` })
    const first = lines.get(value.toLowerCase())
    if (first !== undefined) fault(`, which line ${first} defines; accepts one definition of each term`)
    lines.set(value.toLowerCase(), line)
    const sentence = sentences.find(
      (each) => each.end > end && each.text.slice(Math.max(0, end - each.start)).trim() !== '',
    )
    const between = sentence ? source.slice(end, Math.max(end, sentence.start)) : ''
    if (!sentence || /\S/.test(between.replaceAll(/<!--.*?-->|[>*_[`]/gs, ''))) {
      fault(' without a sentence; accepts it directly before the sentence that defines it')
    }
  }
  return faults
}

function allSentences(text: Text) {
  const blocks: Nodes[] = []
  visit(text.tree, ['paragraph', 'tableCell'], (block) => void blocks.push(block as Nodes))
  return blocks.sort((a, b) => rangeOf(a).start - rangeOf(b).start).flatMap((block) => sentencesOf(text, block))
}

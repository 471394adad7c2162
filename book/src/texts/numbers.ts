/**
 * Numbers in an Explain. Each belongs to a claim, or stands in a block of the same section, or its sentence names a source
 * or carries a link.
 */
import type { Nodes, RootContent } from 'mdast'
import { toString as plain } from 'mdast-util-to-string'
import { visit } from 'unist-util-visit'
import { markedClaims } from './claims.ts'
import { type Fault, lineAt, rangeOf, type Sentence, sentencesOf, type Text } from './text.ts'

const number = /\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?/g
const numberOf = (digits: string) => Number(digits.replaceAll(',', ''))
const words = { thousand: 1e3, million: 1e6, billion: 1e9 }
const scaled = /^\s+(thousand|million|billion)\b/

const labels = [
  'chapters?|sections?|tables?|figures?|lines?|rows?|columns?|steps?|versions?|exit codes?|codes?|status|signals?|ports?',
  'workers?|ranks?|nodes?|levels?|priority|priorities',
  'Node(?:\\.js)?|Python|Celery|RQ|Pyro|BullMQ|Redis|Valkey|PostgreSQL|Slurm|Torque|Open MPI|Prometheus|Linux|Debian|Ubuntu|V8|Pentium|RFC|ISO|IEEE|POSIX|HTTP|TLS|IP',
].join('|')
const list = String.raw`\d[\d.,]*(?:(?:, | and | or | to |–|-)\d[\d.,]*)*`
/** Numbers that are part of a name, and years. */
const names = [
  new RegExp(String.raw`\b(?:${labels}) ${list}`, 'giu'),
  // SHA-256, UTF-8, Int32, fib(36), HTTP/2, p99
  /\p{L}[-/(.]?\d[\d.]*/gu,
  // 2 cores, 64-bit, the 99th percentile
  new RegExp(String.raw`${list}[- ]cores?\b|\d+-bit\b|\d+(?:st|nd|rd|th)\b`, 'g'),
  /(?:\b(?:in|since|until|by|of|from|before|after|and|to) |[(,–-] ?)(?:1[6-9]|20)\d\d\b(?![,.]\d| ?[%×])/gi,
  // A version.
  /\d+\.\d+\.\d+/g,
]

/** Returns the numbers in the prose of Explains that nothing on the page or in `claims/` answers for. */
export function numberFaults(text: Text): Fault[] {
  const { marked } = markedClaims(text)
  const faults: Fault[] = []
  for (const section of sections(text.tree.children)) {
    const given = numbersInBlocks(section)
    for (const node of explained(section)) {
      const above = section[section.indexOf(node) - 1]
      // On a line of its own, a source is that of the sentence or of the whole table below.
      const sourced = above?.type === 'html' && hasSource(text, above)
      if (sourced && node.type === 'table') continue
      const sentences = blocksOfProse(node).flatMap((block) => sentencesWithoutSource(text, block))
      const first = sourced ? firstSentence(text, node) : undefined
      for (const sentence of sentences) {
        if (sentence.start === first) continue
        for (const { digits, index } of numbersOf(sentence, given)) {
          const at = sentence.start + index
          if (marked.some(({ start, end }) => at >= start && at < end)) continue
          const message = `number: received ${digits} in "${shortened(sentence.text, index)}"; accepts numbers of a block of this section, a claim, or a sentence with a link or a source`
          faults.push({ file: text.file, line: lineAt(text.source, at), message })
        }
      }
    }
  }
  return faults
}

function hasSource({ markers }: Text, node: Nodes): boolean {
  const { start, end } = rangeOf(node)
  return markers.some((marker) => marker.name === 'source' && marker.start >= start && marker.start < end)
}

function firstSentence(text: Text, node: RootContent): number | undefined {
  const [block] = blocksOfProse(node)
  return block && sentencesOf(text, block)[0]?.start
}

/** The sentences of a block that carry neither a link nor a source. */
function sentencesWithoutSource(text: Text, block: Nodes): Sentence[] {
  const sources = text.markers.filter(({ name }) => name === 'source').map(({ start }) => start)
  visit(
    block,
    ['link', 'linkReference', 'footnoteReference'],
    (node) => void sources.push(rangeOf(node as Nodes).start),
  )
  return sentencesOf(text, block).filter(({ start, end }) => !sources.some((at) => at >= start && at < end))
}

/** The numbers of a sentence that are neither part of a name nor given. */
function numbersOf({ text }: Sentence, given: Set<number>): { digits: string; index: number }[] {
  const named = names.flatMap((name) => [...text.matchAll(name)])
  return [...text.matchAll(number)]
    .map(({ 0: digits, index }) => ({ digits, index }))
    .filter(({ digits, index }) => {
      if (named.some((name) => index >= name.index && index < name.index + name[0].length)) return false
      const [, word] = scaled.exec(text.slice(index + digits.length)) ?? []
      const value = numberOf(digits)
      return !given.has(value) && !(word && given.has(value * words[word as keyof typeof words]))
    })
}

function sections(nodes: RootContent[]): RootContent[][] {
  const all: RootContent[][] = [[]]
  for (const node of nodes) {
    if (node.type === 'heading') all.push([])
    else all.at(-1)?.push(node)
  }
  return all
}

/** The nodes from each Explain to the next Predict or Change. */
function explained(section: RootContent[]): RootContent[] {
  let explains = false
  return section.filter((node) => {
    const first = node.type === 'paragraph' ? node.children.find(({ type }) => type !== 'html') : undefined
    if (first?.type === 'strong' && /^(Predict|Explain|Change)\b/.test(plain(first)))
      explains = plain(first).startsWith('Explain')
    return explains
  })
}

function blocksOfProse(node: RootContent): Nodes[] {
  const blocks: Nodes[] = []
  visit(node, ['paragraph', 'tableCell'], (block) => void blocks.push(block as Nodes))
  return blocks
}

function numbersInBlocks(section: RootContent[]): Set<number> {
  const found = new Set<number>()
  visit({ type: 'root', children: section }, 'code', ({ value, lang }) => {
    // A diagram is the text's own.
    if (lang === 'mermaid') return
    for (const [digits] of value.matchAll(number)) {
      found.add(numberOf(digits))
      // 10,100,1000 is a list.
      for (const part of digits.split(',')) found.add(Number(part))
    }
  })
  return found
}

function shortened(sentence: string, index: number): string {
  const from = Math.max(0, index - 40)
  const piece = sentence
    .slice(from, index + 40)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/X+/g, '…')
    .trim()
  return `${from > 0 ? '…' : ''}${piece}${index + 40 < sentence.length ? '…' : ''}`
}

/** A text, as the checks read it: a README.md with its Markdown tree and its markers. */
import { createHash } from 'node:crypto'
import type { Code, Nodes, Root } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { toString as plain } from 'mdast-util-to-string'
import { gfm } from 'micromark-extension-gfm'
import { visit } from 'unist-util-visit'

/** Something wrong in a text or in what it refers to. */
export interface Fault {
  /** Relative to the repository's root. */
  file: string
  /** Counted from 1. */
  line: number
  /** What was received and what is accepted. */
  message: string
}

/** A comment in a text that a program reads, such as `<!-- claim: threads-wait -->`. */
export interface Marker {
  name: string
  value: string
  line: number
  /** Offsets in the source. */
  start: number
  end: number
}

export interface Text {
  /** Relative to the repository's root. */
  file: string
  source: string
  tree: Root
  markers: Marker[]
}

/** The names of markers and what each is for. */
const accepted = 'code: path#region, claim: id, /claim, term: name, source: origin or interactive: element'
const named = /^(code|claim|term|source|interactive)$/
const marker = /<!--\s*(\/?[\w-]+)(?::\s*(.*?))?\s*-->/gs

/** Reads a text. Comments that are no markers are left alone. */
export function readText(file: string, source: string): Text {
  const tree = parse(source)
  const markers: Marker[] = []
  visit(tree, 'html', (node) => {
    const { start, end } = rangeOf(node)
    for (const match of source.slice(start, end).matchAll(marker)) {
      const [whole, name = '', value] = match
      if (value === undefined && name !== '/claim' && !named.test(name)) continue
      const at = start + match.index
      markers.push({ name, value: value ?? '', line: lineAt(source, at), start: at, end: at + whole.length })
    }
  })
  return { file, source, tree, markers }
}

/** The markers that no check knows, and those without a value. */
export function markerFaults({ file, markers }: Text): Fault[] {
  return markers
    .filter(({ name, value }) => name !== '/claim' && (!named.test(name) || value === ''))
    .map(({ name, value, line }) => ({
      file,
      line,
      message: `marker: received "${name}: ${value}"; accepts ${accepted}`,
    }))
}

/** The diagrams of a text, as Mermaid. */
export function diagramsOf(tree: Root): Code[] {
  const diagrams: Code[] = []
  visit(tree, 'code', (node) => {
    if (node.lang === 'mermaid') diagrams.push(node)
  })
  return diagrams
}

/** A diagram's picture, relative to the repository's root. It is named after its text. */
export function diagramFile(mermaid: string): string {
  return `book/diagrams/${createHash('sha256').update(mermaid.trim()).digest('hex').slice(0, 16)}.svg`
}

export function parse(source: string): Root {
  return fromMarkdown(source, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] })
}

/** Where a node stands in the source. */
export function rangeOf({ position }: Nodes): { start: number; end: number; line: number } {
  return { start: position?.start.offset ?? 0, end: position?.end.offset ?? 0, line: position?.start.line ?? 1 }
}

export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length
}

/** The words of a piece of Markdown: without emphasis, code marks, links and comments, with single spaces. */
export function wordsOf(markdown: string): string {
  return plain(parse(markdown), { includeHtml: false }).replaceAll(/\s+/g, ' ').trim()
}

export interface Sentence {
  /** What is written, with spaces for comments and addresses, and an X for each character of inline code. */
  text: string
  start: number
  end: number
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/** The sentences of a paragraph, a heading or a table's cell. Their offsets are those of the source. */
export function sentencesOf({ source }: Text, block: Nodes): Sentence[] {
  const { start: from, end: to } = rangeOf(block)
  const shown = Array.from<string>({ length: to - from }).fill(' ')
  visit(block, (node) => {
    if (node.type !== 'text' && node.type !== 'inlineCode') return
    const { start, end } = rangeOf(node)
    // A sentence does not end where its line does.
    for (let at = start; at < end; at++) {
      const written = source[at] ?? ''
      shown[at - from] = node.type === 'inlineCode' ? 'X' : written.trim() === '' ? ' ' : written
    }
  })
  return Array.from(segmenter.segment(shown.join('')), ({ segment, index }) => ({
    text: segment,
    start: from + index,
    end: from + index + segment.length,
  }))
}

/** Turns a text of the repository, such as a chapter's README.md, into a page of the book. */
import { posix } from 'node:path'
import GithubSlugger from 'github-slugger'
import type { Element, ElementContent, Root as Html } from 'hast'
import { toString as plainHtml } from 'hast-util-to-string'
import type { BlockContent, Code, Nodes, PhrasingContent, Root, RootContent } from 'mdast'
import { toHast } from 'mdast-util-to-hast'
import { toString as plain } from 'mdast-util-to-string'
import { EXIT, SKIP, visit } from 'unist-util-visit'
import { elements } from '../interactive/elements.ts'
import { diagramFile, type Text as Marked, readText as readMarkers } from '../texts/text.ts'
import { colour } from './code.ts'
import { exists, readBytes } from './repository.ts'

/** A text before its links are known to lead somewhere. They are relative to its file. */
export interface Text extends Marked {
  /** The page's address: `03-parallel` becomes `/03-parallel.html`. */
  id: string
  title: string
  /** The names that a link may have after `#`. */
  headings: Heading[]
  terms: Term[]
}

export interface Heading {
  depth: number
  slug: string
  text: string
}

/** A term where a text defines it. */
export interface Term {
  name: string
  /** The sentence that defines it, in plain text. */
  definition: string
  /** The name of its place in the page. */
  slug: string
}

/** Reads a text. Its first heading is the title. */
export function readText(id: string, file: string, markdown: string): Text {
  const marked = readMarkers(file, markdown)
  const slugger = new GithubSlugger()
  const headings: Heading[] = []
  visit(marked.tree, 'heading', (node) => {
    headings.push({ depth: node.depth, slug: slugger.slug(plain(node)), text: plain(node) })
  })
  const [title, ...others] = headings
  if (title?.depth !== 1) throw new Error(`${file}:1: it has no title in its first line, such as "# Chapter 1: …"`)
  return { ...marked, id, title: title.text, headings: others, terms: termsOf(marked.tree) }
}

const slugOf = (name: string) => new GithubSlugger().slug(name)
const termSlug = (name: string) => `term-${slugOf(name)}`

const termMark = /<!--\s*term:\s*(.*?)\s*-->/gs

/** The terms that a text defines, each with the sentence that follows its mark. */
function termsOf(tree: Root): Term[] {
  const terms: Term[] = []
  // Marks on a line of their own belong to the paragraph below.
  let above: string[] = []
  visit(tree, (node) => {
    if (node.type === 'html') above.push(...Array.from(node.value.matchAll(termMark), ([, name = '']) => name))
    if (node.type !== 'paragraph' && node.type !== 'tableCell') return
    let text = ''
    const marks = above.map((name) => ({ name, at: 0 }))
    above = []
    visit(node, (inner) => {
      if (inner.type === 'text') text += inner.value.replaceAll(/\s+/g, ' ')
      else if (inner.type === 'inlineCode') text += `\`${inner.value}\``
      else if (inner.type === 'html') {
        for (const [, name = ''] of inner.value.matchAll(termMark)) marks.push({ name, at: text.trimEnd().length })
      }
    })
    for (const { name, at } of marks) terms.push({ name, definition: sentenceAt(text, at), slug: termSlug(name) })
    return SKIP
  })
  return terms
}

/** The sentence of a text that has the words after a place in it. */
function sentenceAt(text: string, at: number): string {
  const ends = Array.from(text.matchAll(/[.!?](?=\s|$)/g), ({ index }) => index + 1)
  const start = ends.findLast((each) => each <= at) ?? 0
  const end = ends.find((each) => each > at)
  return text.slice(start, end).replaceAll(/\s+/g, ' ').trim().replace(/:$/, '.')
}

/** What a marker says: `<!-- term: queue -->` gives `['term', 'queue']`; undefined for any other node. */
function markOf(node: Nodes | undefined): [name: string, value: string] | undefined {
  const [, name, value] = (node?.type === 'html' && /^<!--\s*([a-z]+):\s*(.*?)\s*-->/s.exec(node.value)) || []
  return name === undefined || value === undefined ? undefined : [name, value]
}

/** What a page needs to know of the others. */
export interface Surroundings {
  /** Texts by the path of their files. */
  texts: Map<string, Text>
  /** All terms of the book. */
  terms: Term[]
  /** Called for each file and folder of the repository that a page links. Returns its address. */
  source: (path: string) => string
  /** Called for each problem, which begins with a path and a line. */
  problem: (text: string) => void
}

/** A page, with addresses from the root of the site, such as `/03-parallel.html#rings`. */
export interface Page {
  id: string
  title: string
  description: string
  headings: Heading[]
  body: Html
  /** Whether it has an interactive part. */
  interactive: boolean
}

/** Makes the page of a text. */
export function makePage(text: Text, surroundings: Surroundings): Page {
  // The same text may be made into a page again.
  const tree = structuredClone(text.tree)
  tree.children.shift()
  let interactive = false
  let title = 0

  const transformed = { ...tree, children: steps(tree.children.flatMap(block)) }
  visit(transformed, (node, at, parent) => {
    if (node.type === 'heading') node.data = { hProperties: { id: text.headings[title++]?.slug } }
    else if (node.type === 'link' || node.type === 'definition') node.url = resolve(node.url, node)
    else if (node.type === 'image' && parent && at !== undefined) {
      picture(node)
      // A phone shows it too small to read: there it opens on its own.
      if (parent.type !== 'link') parent.children[at] = { type: 'link', url: node.url, children: [node] }
      return SKIP
    }
    return undefined
  })
  visit(transformed, 'html', (node, at, parent) => {
    const places = [...node.value.matchAll(termMark)].map(([, name = '']) =>
      element('span', { id: termSlug(name) }, []),
    )
    if (parent && at !== undefined) parent.children.splice(at, 1, ...(places as never[]))
    return [SKIP, (at ?? 0) + places.length] as const
  })
  const body = toHast(transformed) as Html
  widenTables(body)
  if (!text.file.startsWith('book/')) linkTerms(body, surroundings.terms)
  return {
    id: text.id,
    title: text.title,
    description: plain(tree.children.find(({ type }) => type === 'paragraph') ?? tree).slice(0, 200),
    headings: text.headings,
    body,
    interactive,
  }

  /** What a block of the text becomes. */
  function block(node: RootContent, at: number, all: RootContent[]): RootContent[] {
    const [mark, value = ''] = markOf(node) ?? []
    if (mark === 'interactive') {
      const { instead } = elements[value] ?? {}
      if (instead === undefined) {
        problem(node, `received the interactive part "${value}"; accepts ${Object.keys(elements).join(', ')}`)
        return []
      }
      interactive = true
      return [element(value, {}, [element('p', {}, [{ type: 'text', value: instead }])])]
    }
    if (node.type === 'blockquote') return [callOut(node)]
    if (node.type !== 'code') return [node]
    if (node.lang === 'mermaid') return [diagram(node)]
    const [above, shown = ''] = markOf(all[at - 1]) ?? []
    if (above === 'code') {
      const [file = ''] = shown.split('#')
      const path = posix.join(posix.dirname(text.file), file)
      if (!exists(path)) return [node]
      const link: PhrasingContent = { type: 'link', url: file, children: [{ type: 'text', value: path }] }
      return [node, element('p', { className: ['from'] }, [link])]
    }
    return [node]
  }

  /** The address of a link, which is a file's path from the text, an address in the web, or a place in this page. */
  function resolve(url: string, node: Nodes): string {
    // In the web, or made by the build.
    if (/^([a-z][a-z+.-]*:|\/)/i.test(url)) return url
    const [given = '', anchor] = url.split('#')
    const path = given === '' ? text.file : posix.join(posix.dirname(text.file), decodeURI(given)).replace(/\/$/, '')
    const target = surroundings.texts.get(path) ?? surroundings.texts.get(`${path}/README.md`)
    if (target === undefined) {
      if (exists(path)) return surroundings.source(path)
      problem(node, `the link to "${url}" leads nowhere: there is no ${path}`)
      return url
    }
    const places = [...target.headings, ...target.terms].map(({ slug }) => slug)
    if (anchor !== undefined && !places.includes(anchor)) {
      problem(node, `the link to "${url}" leads nowhere: ${target.file} has no heading "#${anchor}"`)
    }
    return `/${target.id}.html${anchor === undefined ? '' : `#${anchor}`}`
  }

  function picture(node: Extract<Nodes, { type: 'image' }>): void {
    if (node.url.startsWith('/')) return
    const path = posix.join(posix.dirname(text.file), node.url)
    if (!exists(path)) {
      problem(node, `the picture "${node.url}" does not exist`)
      return
    }
    node.data = { hProperties: { ...sizeOf(path), loading: 'lazy', decoding: 'async' } }
    node.url = `/pictures/${path}`
  }

  function problem(node: Nodes, what: string): void {
    surroundings.problem(`${text.file}:${node.position?.start.line ?? 1}: ${what}`)
  }
}

/** A node that becomes an element of HTML. */
function element(name: string, properties: Element['properties'], children: unknown[]): BlockContent {
  return { type: 'paragraph', children: children as PhrasingContent[], data: { hName: name, hProperties: properties } }
}

const step = /^(Predict|Explain|Change)\b.*\.$/

/**
 * Puts what the reader is to predict, what explains the output, and what to change into boxes of their own. A prediction
 * ends where the command begins, the others at the next step or heading.
 */
function steps(nodes: RootContent[]): RootContent[] {
  const result: RootContent[] = []
  let open: { kind: string; children: RootContent[] } | undefined
  const close = () => {
    if (open) result.push(element('div', { className: ['step', open.kind] }, open.children))
    open = undefined
  }
  for (const node of nodes) {
    const first = node.type === 'paragraph' ? node.children.find(({ type }) => type !== 'html') : undefined
    const kind = first?.type === 'strong' ? step.exec(plain(first))?.[1]?.toLowerCase() : undefined
    if (kind !== undefined || node.type === 'heading' || (open?.kind === 'predict' && node.type === 'code')) close()
    if (kind !== undefined) open = { kind, children: [] }
    ;(open?.children ?? result).push(node)
  }
  close()
  return result
}

const callOuts: Record<string, string> = {
  NOTE: 'note',
  TIP: 'tip',
  IMPORTANT: 'note',
  WARNING: 'caution',
  CAUTION: 'danger',
}

/** GitHub's form: a quotation whose first line is `[!NOTE]`. */
function callOut(quote: Extract<RootContent, { type: 'blockquote' }>): RootContent {
  const [first] = quote.children
  const label = first?.type === 'paragraph' ? first.children[0] : undefined
  const [found, kind = ''] = (label?.type === 'text' && /^\[!([A-Z]+)\]\s*/.exec(label.value)) || []
  const variant = callOuts[kind]
  if (label?.type !== 'text' || found === undefined || variant === undefined) return quote
  label.value = label.value.slice(found.length)
  const title = kind[0] + kind.slice(1).toLowerCase()
  return element('aside', { className: ['starlight-aside', `starlight-aside--${variant}`], ariaLabel: title }, [
    element('p', { className: ['starlight-aside__title'], ariaHidden: 'true' }, [{ type: 'text', value: title }]),
    element('div', { className: ['starlight-aside__content'] }, quote.children),
  ])
}

const kinds: [RegExp, string][] = [
  [/^(flowchart|graph)\b/, 'Flow chart'],
  [/^sequenceDiagram\b/, 'Sequence diagram'],
  [/^stateDiagram/, 'State diagram'],
  [/^gantt\b/, 'Time line'],
]

/** The picture of a diagram, which `draw` has drawn, and its text for those who cannot see it. */
function diagram({ value }: Code): RootContent {
  const path = diagramFile(value)
  const text: Code = { type: 'code', value, lang: 'mermaid' }
  // A new diagram before `draw` has run.
  if (!exists(path)) return text
  const kind = kinds.find(([pattern]) => pattern.test(value.trim()))?.[1] ?? 'Diagram'
  return element('figure', { className: ['diagram'] }, [
    element('a', { href: `/pictures/${path}` }, [
      element(
        'img',
        { src: `/pictures/${path}`, alt: `${kind}: its text follows`, ...sizeOf(path), loading: 'lazy' },
        [],
      ),
    ]),
    element('details', {}, [element('summary', {}, [{ type: 'text', value: `${kind} as text` }]), text]),
  ])
}

/** Width and height of an SVG or PNG picture, in pixels, so that a page does not jump when it arrives. */
function sizeOf(path: string): { width?: number; height?: number } {
  const bytes = readBytes(path)
  if (path.endsWith('.png')) return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
  const [, , , width, height] =
    /<svg[^>]*\sviewBox="([\d.-]+)[ ,]+([\d.-]+)[ ,]+([\d.]+)[ ,]+([\d.]+)"/.exec(bytes.toString('utf8')) ?? []
  return width && height ? { width: Math.ceil(Number(width)), height: Math.ceil(Number(height)) } : {}
}

/** From so many characters on, a text in one of three columns is hard to read on a phone. */
const mostInColumn = 40

/**
 * Wide tables scroll on their own, also with the keyboard. Those of texts can also be shown as a list, in which each cell
 * says what it is. Columns are aligned by style, as HTML has it today.
 */
function widenTables(body: Html): void {
  visit(body, 'element', (node) => {
    const { align, ...others } = node.properties
    if (align) node.properties = { ...others, style: `text-align: ${align}` }
  })
  visit(body, 'element', (node, at, parent) => {
    if (node.tagName !== 'table' || !parent || at === undefined) return
    const rows = elementsOf(node).flatMap(elementsOf).map(elementsOf)
    const [heads = [], ...others] = rows.map((cells) => cells.map(plainHtml))
    if (heads.length > 2 && others.flat().some(({ length }) => length > mostInColumn)) {
      node.properties.className = ['texts']
      for (const cells of rows.slice(1))
        for (const [column, cell] of cells.entries()) cell.properties.dataLabel = heads[column]
    }
    parent.children[at] = {
      type: 'element',
      tagName: 'div',
      properties: { className: ['table'], role: 'group', ariaLabel: 'Table', tabIndex: 0 },
      children: [node],
    }
    return SKIP
  })
}

const elementsOf = ({ children }: Element) => children.filter((child) => child.type === 'element')

const unlinked = new Set(['a', 'code', 'pre', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'summary'])

/** Links the first use of each term to the glossary. */
function linkTerms(body: Html, terms: Term[]): void {
  // Most terms are not on most pages: looking for them here spares a walk through the tree for each.
  const texts: string[] = []
  visit(body, (node) => {
    if (node.type === 'text') texts.push(node.value)
    return node.type === 'element' && unlinked.has(node.tagName) ? SKIP : undefined
  })
  const all = texts.join('\0')
  // "task queue" before "queue".
  for (const { name, definition } of terms.toSorted((a, b) => b.name.length - a.name.length)) {
    const words = new RegExp(
      `(?<![\\w-])${name.replaceAll(/[^\w\s]/g, '\\$&').replaceAll(/\s+/g, '\\s+')}(e?s)?(?![\\w-])`,
      // COST is no cost.
      name === name.toUpperCase() ? '' : 'i',
    )
    if (!words.test(all)) continue
    visit(body, (node, at, parent) => {
      if (node.type === 'element' && unlinked.has(node.tagName)) return SKIP
      const found = node.type === 'text' ? words.exec(node.value) : null
      if (node.type !== 'text' || found === null || parent === undefined || at === undefined) return
      const link: Element = {
        type: 'element',
        tagName: 'a',
        properties: { href: `/glossary.html#${slugOf(name)}`, className: ['term'], title: definition },
        children: [{ type: 'text', value: found[0] }],
      }
      const before = node.value.slice(0, found.index)
      const after = node.value.slice(found.index + found[0].length)
      const parts: ElementContent[] = [{ type: 'text', value: before }, link, { type: 'text', value: after }]
      ;(parent.children as ElementContent[]).splice(at, 1, ...parts)
      return EXIT
    })
  }
}

const command = /^(pnpm|npx|npm|sudo|cd|git|curl|node) /

/** Colours the code of a page. A command is shown as in a terminal. */
export function colourCode(body: Html): void {
  visit(body, 'element', (node, at, parent) => {
    if (node.tagName !== 'pre' || !parent || at === undefined) return
    const [code] = node.children
    const text = plainHtml(node).replace(/\n$/, '')
    const [, given] = /^language-(.+)$/.exec(String(code?.type === 'element' && code.properties.className)) ?? []
    parent.children[at] = colour(text, given ?? (command.test(text) ? 'sh' : 'text'))
    return SKIP
  })
}

/** Pages made of what the chapters define and cite. */
import { toString as plain } from 'mdast-util-to-string'
import { visit } from 'unist-util-visit'
import type { Text } from './text.ts'

/** A link from the book's own pages to a text. */
export const linkTo = (text: Text, anchor?: string) => `../../${text.file}${anchor ? `#${anchor}` : ''}`

const shortTitle = ({ title }: Text) => title.replace(/:.*/s, '')

/** The glossary: the terms that the texts define, by name. */
export function glossaryText(texts: Text[]): string {
  const defined = texts.flatMap((text) => text.terms.map((term) => ({ text, ...term })))
  const byName = Map.groupBy(defined, ({ name }) => name)
  const entries = [...byName].sort(([a], [b]) => a.localeCompare(b, 'en', { sensitivity: 'base' }))
  const lines = entries.flatMap(([name, places]) => [
    `## ${name}`,
    ...places.map(({ text, definition, slug }) => `${definition} ([${shortTitle(text)}](${linkTo(text, slug)}))`),
  ])
  return [
    '# Glossary',
    `The ${entries.length} terms that the chapters define, in the words of the chapters.`,
    ...lines,
  ].join('\n\n')
}

/** What the texts cite: every address in the web that they link, by text. */
export function sourcesText(texts: Text[]): string {
  const lines = texts.flatMap((text) => {
    const cited = new Map<string, string>()
    visit(text.tree, 'link', ({ url, children }) => {
      if (/^https?:/.test(url) && !cited.has(url)) cited.set(url, plain({ type: 'paragraph', children }))
    })
    if (cited.size === 0) return []
    const items = [...cited].map(([url, name]) => (name === url ? `- <${url}>` : `- [${name}](${url}): <${url}>`))
    return [`## [${text.title}](${linkTo(text)})`, items.join('\n')]
  })
  return [
    '# Sources',
    'What the texts cite, collected from their links. The data that the programs work on, and its terms, are listed under [Licences](../../README.md#licences).',
    ...lines,
  ].join('\n\n')
}

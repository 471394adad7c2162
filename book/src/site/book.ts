/** All pages of the book. */
import { posix } from 'node:path'
import type { Root } from 'hast'
import { figuresOf } from './figures.ts'
import { examplesText, exercisesText, readTimes } from './indexes.ts'
import { glossaryText, sourcesText } from './references.ts'
import { chapters, exists, isFolder, list, read } from './repository.ts'
import { makePage, type Page, readText, type Text } from './text.ts'

export interface Book {
  /** In the order to read them. */
  pages: Page[]
  /** Files and folders of the repository that the pages link, by path: each has a page of its own. */
  sources: Map<string, Source>
}

export interface Source {
  id: string
  path: string
  /** The names in a folder, or the text of a file. */
  content: string[] | string
  /** What the README.md of a folder says, unless that is a page of its own. */
  readme?: Root
}

/**
 * Makes the book.
 *
 * @param base where the repository's files are in the web, such as `https://…/blob/main`; by default the address in the
 *   root's package.json; none, or an empty one: pages of the book
 * @throws an Error with a line for each link, picture and interactive part that does not exist, by file and line
 */
export async function makeBook(base = process.env.BOOK_SOURCE ?? repositoryAddress()): Promise<Book> {
  const readmes = [
    // The book has its title on the first page.
    readText('start', 'README.md', read('README.md').replace(/^# .*/, '# Getting started')),
    ...chapters.map((folder) => readText(posix.basename(folder), `${folder}/README.md`, read(`${folder}/README.md`))),
    readText('bench', 'bench/README.md', read('bench/README.md')),
    ...list('packages')
      .map((name) => `packages/${name}README.md`)
      .filter(exists)
      .map((path) => readText(posix.dirname(path), path, read(path))),
    readText('contributing', 'CONTRIBUTING.md', read('CONTRIBUTING.md')),
  ]
  const terms = readmes.flatMap((text) => text.terms)
  const own = (id: string, markdown: string) => readText(id, `book/pages/${id}.md`, markdown)
  const texts: Text[] = [
    own('index', read('book/pages/index.md')),
    ...readmes,
    own('which-tool', figuresOf(read('book/pages/which-tool.md'))),
    own('examples', await examplesText(readmes, readTimes())),
    own('exercises', exercisesText()),
    own('glossary', glossaryText(readmes)),
    own('sources', sourcesText(readmes)),
  ]

  const problems: string[] = []
  const sources = new Map<string, Source>()
  const surroundings = {
    texts: new Map(texts.map((text) => [text.file, text])),
    terms,
    source: (path: string) => (base ? `${base}/${path}` : addSource(sources, path)),
    problem: (text: string) => void problems.push(text),
  }
  const pages = texts.map((text) => makePage(text, surroundings))
  // It may link further files and folders.
  for (const source of sources.values()) {
    const file = `${source.path}/README.md`
    if (!Array.isArray(source.content) || !source.content.includes('README.md') || surroundings.texts.has(file))
      continue
    source.readme = makePage(readText(source.id, file, read(file)), surroundings).body
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return { pages, sources }
}

/** Adds a file, or a folder with everything below it, and returns its address. */
function addSource(sources: Map<string, Source>, path: string): string {
  const id = `source/${path}`
  if (!sources.has(path)) {
    const names = isFolder(path) ? list(path) : undefined
    sources.set(path, { id, path, content: names ?? read(path) })
    for (const name of names ?? []) addSource(sources, posix.join(path, name).replace(/\/$/, ''))
  }
  return `/${id}.html`
}

function repositoryAddress(): string | undefined {
  const { repository } = JSON.parse(read('package.json')) as { repository?: string | { url: string } }
  const url = typeof repository === 'object' ? repository.url : repository
  return url && `${url.replace(/^git\+/, '').replace(/\.git$/, '')}/blob/HEAD`
}

import { strFromU8, unzipSync } from 'fflate'
import { selectAll } from 'hast-util-select'
import { toString as plain } from 'hast-util-to-string'
import { describe, expect, it } from 'vitest'
import { makeBook } from '../../src/site/book.ts'
import { makeEpub } from '../../src/site/epub.ts'
import { chapters, exists, foldersOfExamples, list } from '../../src/site/repository.ts'

const { pages, sources } = await makeBook('')
const page = (id: string) => {
  const found = pages.find((each) => each.id === id)
  if (found === undefined) throw new Error(`there is no page ${id}`)
  return found
}

describe('the book', () => {
  it('begins with its first page and has the chapters in their order', () => {
    const ids = pages.map(({ id }) => id)
    expect(ids[0]).toBe('index')
    expect(ids.filter((id) => /^\d\d-/.test(id)).map((id) => `chapters/${id}`)).toEqual(chapters)
  })

  it('has a picture of every diagram: npm run book:draw', () => {
    for (const { id, body } of pages) {
      const texts = selectAll('code.language-mermaid', body)
      expect(selectAll('figure.diagram code.language-mermaid', body), id).toHaveLength(texts.length)
    }
  })

  it('lists every example with a link into its chapter and one to its source', () => {
    const examples = foldersOfExamples.flatMap((folder) =>
      list(`${folder}/examples`).map((file) => `${folder}/examples/${file}`),
    )
    const rows = selectAll('tbody tr', page('examples').body)
    expect(rows).toHaveLength(examples.length)
    for (const file of examples) expect(sources.get(file)?.content, file).toContain('example(')
    const anchors = rows.map((row) => String(selectAll('a', row)[0]?.properties.href))
    for (const anchor of anchors) expect(anchor).toMatch(/^\/(\d\d-[\w-]+|bench)\.html(#|$)/)
  })

  it('says what an example needs and what it draws', () => {
    const row = selectAll('tbody tr', page('examples').body).find((each) => plain(each).startsWith('\ncanvas'))
    const [, , needs, , draws] = selectAll('td', row ?? page('examples').body).map(plain)
    expect(needs).toBe('Redis')
    expect(draws).toMatch(/^Each task of each shape as a bar/)
  })

  it('has a page of exercises, from the folders', () => {
    const has = chapters.some((chapter) => exists(`${chapter}/exercises`))
    expect(/There are no exercises yet/.test(plain(page('exercises').body))).toBe(!has)
  })

  it('takes links to sources into the web when there is an address', async () => {
    const inWeb = await makeBook('https://example.org/blob/main')
    expect(inWeb.sources.size).toBe(0)
    const links = selectAll('a', inWeb.pages.find(({ id }) => id === 'examples')?.body ?? page('examples').body)
    expect(links.map(({ properties }) => properties.href)).toContain(
      'https://example.org/blob/main/chapters/03-parallel/examples/fib.ts',
    )
  })
})

describe('the EPUB', () => {
  const epub = makeEpub(pages)
  const files = unzipSync(epub)

  it('begins with its kind, uncompressed', () => {
    expect(strFromU8(epub.slice(30, 58))).toBe('mimetypeapplication/epub+zip')
  })

  it('has all chapters in their order', () => {
    const contents = strFromU8(files['EPUB/nav.xhtml'] ?? new Uint8Array())
    const linked = [...contents.matchAll(/href="(0\d-[\w-]+)\.xhtml"/g)].map(([, name]) => `chapters/${name}`)
    expect(linked).toEqual(chapters)
  })

  it('links only pages and pictures that it has', () => {
    for (const [path, bytes] of Object.entries(files)) {
      if (!path.endsWith('.xhtml')) continue
      for (const [, target = ''] of strFromU8(bytes).matchAll(/(?:href|src)="(?!https?:|mailto:|#)([^"#]+)/g)) {
        expect(Object.keys(files), `${path} → ${target}`).toContain(`EPUB/${target}`)
      }
    }
  })
})

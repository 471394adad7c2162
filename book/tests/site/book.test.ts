import { strFromU8, unzipSync } from 'fflate'
import { selectAll } from 'hast-util-select'
import { toString as plain } from 'hast-util-to-string'
import { describe, expect, it } from 'vitest'
import { makeBook } from '../../src/site/book.ts'
import { makeEpub } from '../../src/site/epub.ts'
import { chapters, foldersOfExamples, list } from '../../src/site/repository.ts'

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
    const cells = selectAll('td', row ?? page('examples').body).map(plain)
    const [needs, draws] = [cells[2], cells.at(-1)]
    expect(needs).toBe('Redis')
    expect(draws).toMatch(/^Each task of each shape as a bar/)
  })

  it('lists every exercise with its task and what is to be built', () => {
    const folders = chapters.flatMap((chapter) =>
      list(`${chapter}/exercises`).map((name) => `${chapter}/exercises/${name.slice(0, -1)}`),
    )
    const rows = selectAll('tbody tr', page('exercises').body)
    expect(rows.map((row) => String(selectAll('a', row)[0]?.properties.href))).toEqual(
      folders.map((folder) => `/source/${folder}.html`),
    )
    for (const row of rows) expect(selectAll('td', row).map(plain).at(-1)).not.toBe('–')
    for (const folder of folders)
      expect(plain(sources.get(folder)?.readme ?? page('exercises').body)).toContain('Predict')
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
    const targets = Object.entries(files)
      .filter(([path]) => path.endsWith('.xhtml'))
      .flatMap(([, bytes]) => [...strFromU8(bytes).matchAll(/(?:href|src)="(?!https?:|mailto:|#)([^"#]+)/g)])
      .map(([, target]) => `EPUB/${target}`)
    expect(targets.length).toBeGreaterThan(chapters.length)
    expect(targets.filter((target) => !(target in files))).toEqual([])
  })
})

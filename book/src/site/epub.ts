/** The book as an EPUB 3: the same pages, for reading without a network. */
import { strToU8, type Zippable, zipSync } from 'fflate'
import type { Element, Root } from 'hast'
import { toHtml } from 'hast-util-to-html'
import { SKIP, visit } from 'unist-util-visit'
import { read, readBytes } from './repository.ts'
import type { Page } from './text.ts'

const title = 'Distributed Computing with TypeScript'
const identifier = 'urn:uuid:6f1d0c5e-2b1b-4d43-9d0b-6b3f5f0c7a11'

const xml = { closeSelfClosing: true, tightSelfClosing: false, characterReferences: { useNamedReferences: false } }

/** Returns the bytes of the EPUB file. Links to pages that are not in it lose their addresses and keep their words. */
export function makeEpub(pages: Page[]): Uint8Array {
  const ids = new Map(pages.map(({ id }) => [`/${id}.html`, fileOf(id)]))
  const pictures = new Map<string, string>()
  const chapters = pages.map((page) => ({ ...page, file: fileOf(page.id), html: chapterOf(page, ids, pictures) }))
  const items = [
    '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
    '<item id="style" href="book.css" media-type="text/css"/>',
    ...chapters.map(({ file }) => `<item id="${idOf(file)}" href="${file}" media-type="application/xhtml+xml"/>`),
    ...[...pictures].map(([name, path]) => {
      const type = path.endsWith('.png') ? 'image/png' : 'image/svg+xml'
      return `<item id="${idOf(name)}" href="${name}" media-type="${type}"/>`
    }),
  ]
  const modified = `${new Date().toISOString().slice(0, 19)}Z`
  const files: Record<string, string> = {
    'META-INF/container.xml': `<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>`,
    'EPUB/book.opf': `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">${identifier}</dc:identifier>
<dc:title>${title}</dc:title>
<dc:language>en</dc:language>
<meta property="dcterms:modified">${modified}</meta>
</metadata>
<manifest>${items.join('\n')}</manifest>
<spine>${chapters.map(({ file }) => `<itemref idref="${idOf(file)}"/>`).join('')}</spine>
</package>`,
    'EPUB/nav.xhtml': xhtml(
      'Contents',
      `<nav epub:type="toc"><h1>Contents</h1><ol>${chapters
        .map(({ file, title }) => `<li><a href="${file}">${escaped(title)}</a></li>`)
        .join('\n')}</ol></nav>`,
    ),
    'EPUB/book.css': read('book/src/site/epub.css'),
    ...Object.fromEntries(chapters.map(({ file, title, html }) => [`EPUB/${file}`, xhtml(title, html)])),
  }
  const zip: Zippable = {
    // The first file, and not compressed, so that the kind of file can be read at a fixed place.
    mimetype: [strToU8('application/epub+zip'), { level: 0 }],
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [path, strToU8(text)])),
    ...Object.fromEntries(
      [...pictures].map(([name, path]) => [
        `EPUB/${name}`,
        path.endsWith('.svg') ? strToU8(plainSvg(read(path))) : new Uint8Array(readBytes(path)),
      ]),
    ),
  }
  return zipSync(zip)
}

const fileOf = (id: string) => `${id.replaceAll('/', '-')}.xhtml`
const idOf = (file: string) => `f-${file.replaceAll(/[^\w-]/g, '-')}`
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const xhtml = (title: string, body: string) => `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><title>${escaped(title)}</title><link rel="stylesheet" href="book.css"/></head>
<body>${body}</body>
</html>`

/** EPUB's SVG is that of 2011: what CSS has added since then goes from attributes into styles. */
function plainSvg(svg: string): string {
  return svg.replaceAll(/<\w[^<>]*>/g, (tag) => {
    const styles: string[] = []
    const rest = tag.replaceAll(/ (paint-order|font-variant)="([^"]*)"/g, (_, name: string, value: string) => {
      styles.push(`${name}: ${value};`)
      return ''
    })
    if (styles.length === 0) return tag
    return rest.includes(' style="')
      ? rest.replace(' style="', ` style="${styles.join(' ')} `)
      : rest.replace(/(\/?>)$/, ` style="${styles.join(' ')}"$1`)
  })
}

/** A page's XHTML. Adds the pictures it shows, under their names in the EPUB, with their paths in the repository. */
function chapterOf(page: Page, ids: Map<string, string>, pictures: Map<string, string>): string {
  const body: Root = structuredClone(page.body)
  visit(body, 'element', (node, at, parent) => {
    const { href, src } = node.properties
    if (typeof href === 'string' && href.startsWith('/')) {
      const [path = '', anchor] = href.split('#')
      const file = ids.get(path)
      if (file !== undefined) node.properties.href = anchor === undefined ? file : `${file}#${anchor}`
      else if (parent && at !== undefined) {
        parent.children.splice(at, 1, ...node.children)
        return [SKIP, at]
      }
    }
    if (typeof src === 'string') {
      const path = src.replace(/^\/pictures\//, '')
      const name = `pictures/${path.replaceAll('/', '-')}`
      pictures.set(name, path)
      node.properties.src = name
    }
    delete node.properties.loading
    delete node.properties.decoding
    delete node.properties.tabIndex
    // An interactive part has a sentence for those who cannot run it.
    if (node.tagName.includes('-')) node.tagName = 'div'
    return undefined
  })
  const heading: Element = {
    type: 'element',
    tagName: 'h1',
    properties: {},
    children: [{ type: 'text', value: page.title }],
  }
  return toHtml({ type: 'root', children: [heading, ...body.children] }, xml)
}

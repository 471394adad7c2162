/** What is done with the built site: addresses become relative, and the book is also written as an EPUB. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AstroIntegration } from 'astro'
import { makeBook } from './book.ts'
import { makeEpub } from './epub.ts'

export const epubFile = 'distributed-computing-with-typescript.epub'

export function finish(): AstroIntegration {
  return {
    name: 'book',
    hooks: {
      async 'astro:build:done'({ dir, logger }) {
        const folder = fileURLToPath(dir)
        // Not by glob, which leaves out folders such as .ci.
        const pages = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.html'))
        for (const file of pages) {
          const html = await readFile(`${folder}/${file}`, 'utf8')
          await writeFile(`${folder}/${file}`, relativeAddresses(html, file.replaceAll('\\', '/')))
        }
        logger.info(`${pages.length} pages work from every path and from the file system`)
        await writeFile(`${folder}/${epubFile}`, makeEpub((await makeBook()).pages))
        logger.info(`${epubFile}: ${relative('', folder)}/${epubFile}`)
      },
    },
  }
}

/**
 * Makes the addresses of a page that begin at the root of the site relative to the page.
 *
 * @param file the page's path from the root of the site, such as `source/LICENSE.html`
 */
export function relativeAddresses(html: string, file: string): string {
  const from = posix.dirname(file)
  return html.replaceAll(
    /(<[^<>]*?\s(?:href|src|data-pagefind-script)=")(\/(?!\/)[^"#?]*)/g,
    (_, before: string, path: string) =>
      before + (posix.relative(from, path === '/' ? 'index.html' : path.slice(1)) || '.'),
  )
}

/** Gives the book's pages to Astro. */
import { posix } from 'node:path'
import type { Loader, LoaderContext } from 'astro/loaders'
import type { Root } from 'hast'
import { toHtml } from 'hast-util-to-html'
import { makeBook, type Source } from './book.ts'
import { colour } from './code.ts'
import { foldersOfExamples, root } from './repository.ts'
import { colourCode, type Heading } from './text.ts'

/** Loads all pages, and while the site is being written loads them again when a text changes. */
export function bookLoader(): Loader {
  return {
    name: 'book',
    async load(context) {
      await load(context)
      const { watcher, logger } = context
      if (watcher === undefined) return
      watcher.add([...foldersOfExamples.map((folder) => `${root}/${folder}/README.md`), `${root}/book/pages`])
      watcher.on('change', async (path) => {
        if (!path.endsWith('.md')) return
        logger.info(`reading the texts again after a change of ${path}`)
        await load(context).catch((error) => logger.error(error.message))
      })
    },
  }
}

async function load({ store, parseData, logger }: LoaderContext): Promise<void> {
  const { pages, sources } = await makeBook()
  store.clear()
  const add = async (id: string, body: Root, headings: Heading[], given: Record<string, unknown>) => {
    const data = await parseData({ id, data: given })
    colourCode(body)
    store.set({ id, data, rendered: { html: toHtml(body), metadata: { headings } } })
  }
  for (const { id, title, description, headings, body, interactive } of pages) {
    await add(id, body, headings, { title, description, interactive })
  }
  for (const source of sources.values()) {
    await add(source.id, sourcePage(source), [], {
      title: source.path,
      description: `The source of ${source.path}`,
      tableOfContents: false,
      // The book is searched, not its programs.
      pagefind: false,
      prev: false,
      next: false,
    })
  }
  logger.info(`${pages.length} pages and ${sources.size} of sources`)
}

/** A page that shows a file of the repository, or what is in a folder. */
function sourcePage({ path, content, readme }: Source): Root {
  if (typeof content === 'string') {
    const language = languages[posix.extname(path)] ?? (content.startsWith('#!') ? 'sh' : 'text')
    return { type: 'root', children: [colour(content, language)] }
  }
  const items = content.map((name) => ({
    type: 'element' as const,
    tagName: 'li',
    properties: {},
    children: [
      {
        type: 'element' as const,
        tagName: 'a',
        properties: { href: `/source/${path}/${name.replace(/\/$/, '')}.html` },
        children: [{ type: 'text' as const, value: name }],
      },
    ],
  }))
  return {
    type: 'root',
    children: [...(readme?.children ?? []), { type: 'element', tagName: 'ul', properties: {}, children: items }],
  }
}

const languages: Record<string, string> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.mjs': 'js',
  '.json': 'json',
  '.jsonc': 'jsonc',
  '.yml': 'yaml',
  '.yaml': 'yaml',
  '.py': 'python',
  '.sh': 'sh',
  '.md': 'md',
}

/** Builds the interactive elements as the site does, and serves a page for each of them to a real browser. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { build } from 'vite'
import { elements } from '../../src/interactive/elements.ts'

export interface Pages extends AsyncDisposable {
  /** The address of an element's page, in Starlight's light or dark theme. */
  address: (element: string, theme?: 'light' | 'dark') => string
}

/** Returns the pages. Their server listens on loopback until they are disposed of. */
export async function servePages(): Promise<Pages> {
  const folder = await temporaryFolder()
  await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: 'error',
    build: {
      outDir: folder.path,
      emptyOutDir: true,
      rolldownOptions: { input: join(import.meta.dirname, 'page.ts'), output: { entryFileNames: 'page.js' } },
    },
  })
  const theme = await readFile(
    new URL('props.css', import.meta.resolve('@astrojs/starlight/style/markdown.css')),
    'utf8',
  )
  const server = createServer(async ({ url = '/' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://loopback')
    const element = searchParams.get('element')
    const sent = element
      ? { type: 'text/html', body: page(element, searchParams.get('theme') ?? 'light', theme) }
      : { type: 'text/javascript', body: await readFile(join(folder.path, pathname)).catch(() => undefined) }
    response.writeHead(sent.body === undefined ? 404 : 200, { 'content-type': sent.type }).end(sent.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: (element, theme = 'light') => `http://127.0.0.1:${port}/?element=${element}&theme=${theme}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await folder[Symbol.asyncDispose]()
    },
  }
}

const page = (element: string, theme: string, css: string) => `<!doctype html>
<html lang="en" data-theme="${theme}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${element}</title>
    <link rel="icon" href="data:,">
    <style>${css}
      body { margin: 0 auto; max-width: 45rem; padding: 1rem; font-family: system-ui, sans-serif;
        background: var(--sl-color-bg); color: var(--sl-color-text) }
    </style>
  </head>
  <body>
    <main>
      <h1>${element}</h1>
      <${element}><p>${elements[element]?.instead}</p></${element}>
    </main>
    <script type="module" src="/page.js"></script>
  </body>
</html>`

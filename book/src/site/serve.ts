/** Serves a folder on the loopback interface. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { compress } from 'hono/compress'

export interface FolderServer {
  /** Of its first page, with a slash at the end. */
  url: string
  http: Server
  /** Ends it and the connections that are open. */
  close: () => void
}

/**
 * Starts serving a folder.
 *
 * @param options.port 0 is any free one
 * @param options.below the path that the site begins with, such as `/books/distributed`
 * @throws the error of the operating system if the port is in use
 */
export async function serveFolder(root: string, { port = 0, below = '' } = {}): Promise<FolderServer> {
  const app = new Hono()
  app.use(compress())
  app.use(`${below}/*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(below.length) }))
  const http = createAdaptorServer({ fetch: app.fetch }) as Server
  http.listen(port, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}${below}/`,
    http,
    close() {
      http.close()
      http.closeAllConnections()
    },
  }
}

/** Bull Board, a web page that shows the queues and retries failed jobs: the counterpart of Celery's Flower. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { createAdaptorServer } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import type { Client } from '../queue/client.ts'
import { forgetRevocations } from '../queue/forget-revocations.ts'
import { revokedKey } from '../queue/message.ts'
import { giveBackRemoved } from '../queue/moments.ts'

export interface Board extends AsyncDisposable {
  url: string
  port: number
}

/**
 * Serves the board on the loopback interface. It has no users: anyone who reaches it may delete every job. From another
 * machine, use an SSH tunnel: `ssh -L 3000:127.0.0.1:3000 host`.
 *
 * @param port 0 for any free one
 * @throws the system's error, with `code` EADDRINUSE or EACCES, when the port is not available
 */
export async function openBoard(client: Client, queues: readonly string[], { port = 0 } = {}): Promise<Board> {
  const adapter = new HonoAdapter(serveStatic).setBasePath('/')
  createBullBoard({
    queues: queues.map((name) => new BullMQAdapter(client.queue(name))),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Chapter 4' } },
  })
  const app = new Hono()
  // No other web page may reach the board through the user's browser: neither by a host name that it points at this
  // address, nor with a request whose answer it cannot read.
  app.use(async (context, next) => {
    const isOurs = (url: string) => ['127.0.0.1', 'localhost'].includes(URL.parse(url)?.hostname ?? '')
    const origin = context.req.header('origin')
    if (!isOurs(context.req.url) || (origin !== undefined && !isOurs(origin))) {
      return context.text('only for this machine', 403)
    }
    await next()
    // It removes jobs without this layer.
    if (!['GET', 'HEAD'].includes(context.req.method)) {
      await giveBackRemoved(client.redis, client.prefix)
      const revoked = await client.redis.zrange(revokedKey(client.prefix), '0', '-1')
      await forgetRevocations(client.redis, client.prefix, revoked)
    }
    // The board would fetch its fonts from another server, which would learn that it is open.
    context.header('content-security-policy', "default-src 'self' data: 'unsafe-inline'")
    return undefined
  })
  app.route('/', adapter.registerPlugin())
  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  return {
    url: `http://127.0.0.1:${address.port}/`,
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.close()
      // Browsers keep idle connections open.
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

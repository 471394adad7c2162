/** HTTP servers on a free port of the loopback interface. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

export interface Listening extends AsyncDisposable {
  /** Host, port, and a path that only those know who were told: `127.0.0.1:1234/…`. */
  address: string
}

/** Serves an application. Disposing of it cuts the connections that are open. */
export async function listen(app: Hono): Promise<Listening> {
  // The protocols have no password, and other users of this machine could guess the port.
  const secret = randomUUID()
  const server = serve({ fetch: new Hono().route(`/${secret}`, app).fetch, port: 0, hostname: '127.0.0.1' }) as Server
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  async function close() {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { address: `127.0.0.1:${address.port}/${secret}`, [Symbol.asyncDispose]: close }
}

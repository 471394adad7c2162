/** HTTP servers on a free port of the loopback interface. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

export interface Listening extends AsyncDisposable {
  /** Host and port, `127.0.0.1:1234`; of `listenInSecret` also a path. */
  address: string
}

/** Serves requests. Disposing of it cuts the connections that are open. */
export async function listen(fetch: (request: Request) => Response | Promise<Response>): Promise<Listening> {
  const server = serve({ fetch, port: 0, hostname: '127.0.0.1' }) as Server
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  async function close() {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { address: `127.0.0.1:${address.port}`, [Symbol.asyncDispose]: close }
}

/** The same for a protocol without a password: below a path that only those know who were told. Others could guess the port. */
export async function listenInSecret(app: Hono): Promise<Listening> {
  const secret = randomUUID()
  const listening = await listen(new Hono().route(`/${secret}`, app).fetch)
  return { ...listening, address: `${listening.address}/${secret}` }
}

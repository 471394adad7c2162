/** An HTTP server that ends in order, and bodies that have a limit. */
import { once } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { after } from '@repo/common/async/timer'

/**
 * Returns the body of a request; undefined if it has more bytes than that. The rest is read and dropped, because a client
 * that is cut off while it sends gets no answer. Give the server a `requestTimeout`.
 */
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes <= mostBytes) chunks.push(chunk as Buffer)
    else chunks.length = 0
  }
  return bytes <= mostBytes ? Buffer.concat(chunks) : undefined
}

const checkEveryMs = 20

/**
 * Ends a server: it accepts no more connections, closes those that wait for a request, and answers the requests in
 * progress. After `graceMs` it closes every connection that is left, because a client may never send the rest of its
 * request.
 *
 * @returns when the last connection is closed; a handler whose client has gone may still run
 */
export async function endServer(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  // A connection waits again when its request has been answered.
  const closing = setInterval(() => server.closeIdleConnections(), checkEveryMs)
  using _grace = after(graceMs, () => server.closeAllConnections())
  await closed.finally(() => clearInterval(closing))
}

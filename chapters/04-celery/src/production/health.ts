/** Tells a load balancer, an orchestrator or a person over HTTP whether a process can work. */
import { once } from 'node:events'
import { createServer } from 'node:http'

export interface Health extends AsyncDisposable {
  port: number
}

/**
 * `GET /live` answers 200 as long as the event loop turns. If there is no answer, restart the process. `GET /ready`
 * answers what `check` returns, as JSON, with 200 if it says `ok`, otherwise with 503: send the process no work, and
 * leave it alone.
 *
 * @param port 0 for a free one
 */
export async function startHealth(
  check: () => Promise<{ ok: boolean }>,
  { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
): Promise<Health> {
  const server = createServer(async ({ url, method }, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
    }
    if (method !== 'GET') return answer(405, { error: 'accepts GET' })
    if (url === '/live') return answer(200, { ok: true })
    if (url !== '/ready') return answer(404, { error: 'accepts /live and /ready' })
    const state = await check().catch((error: Error) => ({ ok: false, error: error.message }))
    answer(state.ok ? 200 : 503, state)
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

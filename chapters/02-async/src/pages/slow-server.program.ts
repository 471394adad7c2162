/**
 * The slow web site's server, a process of its own: it goes on while a client blocks its thread.
 *
 *     GET /pages/<page>/<attempt>   an address, after that page's latency, or the fault of that attempt
 *     GET /hang                     never answered
 *     GET /open                     the number of open requests to the two above
 */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { faultOf, latencyOf, type Site } from './slow-pages.ts'

const site = JSON.parse(process.argv[2] ?? '') as Site
const files = stateOfTheUnionFiles()
let open = 0

const server = createServer(async ({ url = '' }, response) => {
  if (url === '/open') {
    response.end(String(open))
    return
  }
  open++
  const closed = new AbortController()
  response.once('close', () => {
    open--
    closed.abort()
  })
  const [, , page = 0, attempt = 1] = url.split('/').map(Number)
  if (!url.startsWith('/pages/')) return
  const fault = faultOf(site, page, attempt)
  if (fault === 'never') return
  try {
    await delay(latencyOf(site, page), undefined, { signal: closed.signal })
  } catch {
    // The client has gone.
    return
  }
  answer(response, readFileSync(files[page % files.length] ?? ''), fault)
})

function answer(response: ServerResponse, body: Buffer, fault: 'reset' | 'stall' | 'half' | undefined) {
  if (fault === 'reset') {
    response.socket?.resetAndDestroy()
    return
  }
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length })
  if (fault === undefined) {
    response.end(body)
    return
  }
  response.write(body.subarray(0, body.length / 2), () => {
    if (fault === 'half') response.socket?.end()
  })
}

server.listen(0, '127.0.0.1', 16_384, () => ready({ port: (server.address() as AddressInfo).port }))
process.on('disconnect', () => process.exit())

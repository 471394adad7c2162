/**
 * A rate server on the loopback interface that is as slow as one far away. Arguments: the mean latency in ms, and a
 * seed for the latencies.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { latencyOf, ratesFolder } from '@repo/common/workloads/rates'

const [meanMs = 0, seed = 0] = process.argv.slice(2).map(Number)
const folder = ratesFolder()
const cache = new Map<string, Promise<Buffer>>()

const server = createServer(async (request, response) => {
  const currency = /^\/v1\/currencies\/([a-z0-9-]+)\.json$/.exec(request.url ?? '')?.[1]
  try {
    if (currency === undefined) throw new Error('no currency')
    await delay(latencyOf(currency, seed, meanMs))
    if (!cache.has(currency)) cache.set(currency, readFile(join(folder, `${currency}.json`)))
    response.setHeader('content-type', 'application/json').end(await cache.get(currency))
  } catch {
    response.writeHead(404).end()
  }
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  ready({ address: `http://127.0.0.1:${port}/v1/currencies/` })
})

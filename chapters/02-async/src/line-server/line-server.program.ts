/** The line server as a process of its own. Asked by a message, it tells its connections and its memory. */
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { ready } from '@repo/common/process/ready'
import { type HandlerName, lineServer, wordIndex } from './line-server.ts'

const { name, latencyMs } = JSON.parse(process.argv[2] ?? '') as { name: HandlerName; latencyMs: number }
const server = lineServer(name, wordIndex(), latencyMs)
const connections = promisify(server.getConnections.bind(server))

process.on('message', async () => {
  process.send?.({ connections: await connections(), rss: process.memoryUsage.rss() })
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', 16_384, () => ready({ port: (server.address() as AddressInfo).port }))

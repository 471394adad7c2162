/** The line server as a process of its own. When it gets a message, it reports its connections and its memory. */
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { ready } from '@repo/common/process/ready'
import { lineServer, type MakeHandler, wordIndex } from './line-server.ts'

/** Its argument, as JSON. */
export interface ServerSettings {
  /** The URL of a module that exports `handlers`. */
  module: string
  /** One of these handlers. */
  name: string
  latencyMs: number
}

const { module, name, latencyMs } = JSON.parse(process.argv[2] ?? '') as ServerSettings
const { handlers } = (await import(module)) as { handlers: Record<string, MakeHandler> }
const makeHandler = handlers[name]
if (!makeHandler) throw new Error(`${module} has no handler that is called ${name}`)
const server = lineServer(makeHandler, wordIndex(), latencyMs)
const connections = promisify(server.getConnections.bind(server))

process.on('message', async () => {
  process.send?.({ connections: await connections(), rss: process.memoryUsage.rss() })
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', 16_384, () => ready({ port: (server.address() as AddressInfo).port }))

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { handlers } from '../../examples/server.ts'
import { lineServer, wordIndex } from '../../src/line-server/line-server.ts'
import { openConnection, putLoad } from '../../src/line-server/load.ts'

it('the load counts the answers that it gets', async () => {
  const server = lineServer(handlers.asynchronous, wordIndex(), 1).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  using connection = await openConnection(port)
  // As `grep -oiw queequeg | wc -l` counts it in all chapters.
  expect(await connection.ask('queequeg')).toBe('queequeg 251')
  const result = await putLoad({ port, clients: 4, durationMs: 100 })
  expect(result).toMatchObject({ wrong: 0 })
  expect(result.requests).toBeGreaterThanOrEqual(4)
  expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms)
  server.close()
})

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { handlers } from '../../examples/server.ts'
import { lineServer } from '../../src/line-server/line-server.ts'
import { openMany } from '../../src/line-server/load.ts'

describe.each(Object.entries(handlers))('the line server, %s', (_, makeHandler) => {
  it('answers every client with the count of its own word', async () => {
    const server = lineServer(makeHandler, new Map([['whale', 3]]), 1).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const connections = await openMany(port, 5, () => {})
    const words = ['whale', 'ship', 'ping', 'é', '']
    expect(await Promise.all(connections.map((connection, at) => connection.ask(words[at] ?? '')))).toEqual([
      'whale 3',
      'ship 0',
      'pong',
      'é 0',
      ' 0',
    ])
    // One that hangs up in the middle of a request does not disturb the others.
    void connections[0]?.ask('whale').catch(() => {})
    connections[0]?.[Symbol.dispose]()
    expect(await connections[1]?.ask('whale')).toBe('whale 3')
    for (const connection of connections) connection[Symbol.dispose]()
    server.close()
    await once(server, 'close')
  })
})

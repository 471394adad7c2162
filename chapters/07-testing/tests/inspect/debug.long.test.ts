/** The example debug where nothing stops, where it cannot begin, and where it waits for an editor. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@repo/common/process/ports'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { type RunOptions, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const chapter = join(import.meta.dirname, '../..')
const run = (name: string, args: string[], options?: RunOptions) => runExample(chapter, name, args, options)

describeReal('debug', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('does not stop where it never holds, and a condition that is not JavaScript is refused', async () => {
    const never = await run('debug', ['--orders', '5', '--condition', 'order.quantity > 99', '--json'])
    expect(never.json()).toMatchObject({ stopped: false, closed: true })
    expect(await run('debug', ['--orders', '5', '--condition', 'order.quantity >'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^error: --condition: received "order\.quantity >"; accepts a JavaScript expression; .*\n$/,
      ),
    })
  })

  it('says in one line that its port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const refused = await run('debug', ['--wait', '--port', String(port)])
    server.close()
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        new RegExp(`^error: --port: received "${port}"; accepts a port that is free; .*\n$`),
      ),
    })
    expect(await refused.leftBehind()).toEqual([])
  })

  it('waits for an editor on loopback until Ctrl-C', async () => {
    const port = await freePort()
    const stopped = await run('debug', ['--wait', '--port', String(port)], { interruptWhen: /Orders are placed until/ })
    expect(stopped).toMatchObject({ code: 130, stdout: expect.stringMatching(`listens on 127.0.0.1:${port}`) })
    expect(await stopped.leftBehind()).toEqual([])
  })
})

/** The example debug where a worker stops, where nothing does, where it cannot begin, and where it waits for an editor. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@repo/common/process/ports'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { type RunOptions, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { breakAt, lineWith } from '../../src/inspect/breakpoint.ts'
import { inspect, inspectable } from '../../src/inspect/inspector.ts'
import { ordersOf, placeOrders, plenty } from '../../src/pipeline/load.ts'
import type { Order } from '../../src/pipeline/orders.ts'
import { startPipeline } from '../../src/pipeline/pipeline.ts'

const chapter = join(import.meta.dirname, '../..')
const run = (name: string, args: string[], options?: RunOptions) => runExample(chapter, name, args, options)

describeReal('debug', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('stops where a condition holds, is read, and continues', async () => {
    // Enough orders that shipping 1 gets one that it must stop for, however busy the machine is.
    const done = await run('debug', ['--quick', '--orders', '100', '--json'])
    expect(done.json()).toMatchObject({
      stopped: true,
      at: { function: 'ship' },
      state: 'shipped',
      taken: 1,
      closed: true,
      order: { quantity: 3 },
      variables: { order: { quantity: 3, card: 'good' }, context: { delivery: 1 } },
    })
    expect(await done.leftBehind()).toEqual([])
  })

  it('does not stop where it never holds, and a condition that is not JavaScript is refused', async () => {
    const never = await run('debug', ['--orders', '5', '--condition', 'order.quantity > 99', '--json'])
    expect(never.json()).toMatchObject({ stopped: false, closed: true })
    expect(await run('debug', ['--orders', '5', '--condition', 'order.quantity >'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^error: --condition: received "order\.quantity >"; accepts a JavaScript expression that only looks; .*\n$/,
      ),
    })
  })

  it('says of a condition that throws what it throws', async () => {
    // So many that the worker gets one, however busy the machine is: with the first one it is over.
    expect(await run('debug', ['--orders', '2000', '--condition', 'order.nothing.here'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^error: --condition: received "order\.nothing\.here"; accepts .*; it throws TypeError: Cannot read .*\n$/,
      ),
    })
  })

  it('may die while a worker is stopped, or the worker may: the order is shipped once', async () => {
    const source = new URL('../../src/pipeline/orders.ts', import.meta.url)
    const line = await lineWith(source, 'const { id, item, quantity } = order')
    let lines: string[] = []
    const worker = 'shipping 1'
    await using pipeline = await startPipeline({
      stock: plenty,
      env: inspectable,
      lockMs: 1_000,
      workers: { payment: 1, shipping: 1 },
      onLine: (name, line) => void (name === worker && lines.push(line)),
    })
    const orders = ordersOf(1, 20)
    for (const dies of ['the worker', 'the debugger']) {
      const program = pipeline.processes.get(worker)
      if (!program) throw new Error(`no ${worker}`)
      lines = []
      const inspector = await inspect(program, lines)
      const { reached } = await breakAt(inspector, { file: source, line, condition: 'order.quantity === 3' })
      const placed = orders.map((order): Order => ({ ...order, id: `${dies.slice(4)}-${order.id}` }))
      await placeOrders({ url: pipeline.url, orders: placed })
      await reached
      if (dies === 'the worker') {
        await pipeline.kill(worker)
        await pipeline.start(worker)
      }
      // As after a SIGKILL, the connection ends, and nothing else was said.
      inspector.detach()
      await pipeline.drained()
      const taken = (await pipeline.store.history()).filter(({ effect, answer, booked }) => {
        return effect.do === 'take' && answer === 'taken' && booked && placed.some(({ id }) => id === effect.order)
      })
      expect(taken.length, dies).toBe(placed.filter(({ card }) => card === 'good').length)
    }
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

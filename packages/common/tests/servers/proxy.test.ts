import { getEventListeners, once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { describe, expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { startProxy } from '../../src/servers/proxy.ts'

/** Starts an echo server behind a proxy. `open` connects through the proxy. */
async function echoBehindProxy(delayMs = 0) {
  const stack = new AsyncDisposableStack()
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  stack.defer(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const proxy = stack.use(await startProxy({ port: address.port, delayMs }))
  const open = async () => {
    const socket = connect(proxy.port, proxy.host)
    stack.defer(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { proxy, open, accepted, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** `once` of node:events would reject at the error before the close. */
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))

const errorOf = async (socket: Socket) => {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  return error.code
}

describe.concurrent('a proxy', () => {
  it('passes on every byte in order, even more than its window holds, and then the end', async () => {
    await using link = await echoBehindProxy(5)
    const socket = await link.open()
    const sent = Buffer.alloc(20 << 20, 'a proxy changes nothing ')
    socket.end(sent)
    const received = await buffer(socket)
    expect(received.equals(sent)).toBe(true)
    expect(link.proxy.bytes).toEqual({ up: sent.length, down: sent.length })
    await until(() => link.proxy.connections === 0)
  })

  it('refuses a delay that is no time', async () => {
    await expect(startProxy({ port: 1, delayMs: Number.NaN })).rejects.toThrow('delayMs: received NaN; accepts')
    await using link = await echoBehindProxy()
    expect(() => {
      link.proxy.delayMs = -1
    }).toThrow('delayMs: received -1; accepts')
    expect(link.proxy.delayMs).toBe(0)
  })

  it('delays each way', async () => {
    await using link = await echoBehindProxy(150)
    const start = performance.now()
    const socket = await link.open()
    socket.write('x')
    await once(socket, 'data')
    // A lower bound, which cannot fail on a slow machine: a round trip for connecting and one for the answer.
    expect(performance.now() - start).toBeGreaterThanOrEqual(4 * 150 - 10)
  })

  it('resets both sides of every connection when cut, and accepts new ones', async () => {
    await using link = await echoBehindProxy()
    const socket = await link.open()
    socket.write('x')
    await once(socket, 'data')
    const serverClosed = link.accepted.map(closed)
    const failed = errorOf(socket)
    link.proxy.cut()
    expect(await failed).toBe('ECONNRESET')
    await Promise.all(serverClosed)
    const again = await link.open()
    again.write('y')
    expect(String(await once(again, 'data'))).toBe('y')
  })

  it('passes on a reset, from either side', async () => {
    await using link = await echoBehindProxy()
    const sockets: Socket[] = []
    for (let at = 0; at < 2; at++) {
      const socket = await link.open()
      socket.write('x')
      await once(socket, 'data')
      sockets.push(socket)
    }
    const failed = [link.accepted[0], sockets[1]].map((socket) => socket && errorOf(socket))
    sockets[0]?.resetAndDestroy()
    link.accepted[1]?.resetAndDestroy()
    expect((await Promise.all(failed)).sort()).toEqual(['ECONNRESET', 'ECONNRESET'])
    await until(() => link.proxy.connections === 0)
  })

  it('passes on the end of one side, and what the other one sends after it', async () => {
    const received: Promise<Buffer>[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.end('bye')
      received.push(buffer(socket))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    await using proxy = await startProxy({ port: typeof address === 'object' ? (address?.port ?? 0) : 0 })
    const socket = connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true })
    expect(String(await buffer(socket))).toBe('bye')
    socket.end('late')
    await until(() => received.length === 1)
    expect(String(await received[0])).toBe('late')
    server.close()
  })

  it('resets, once, the connection that carries a number of bytes', async () => {
    await using link = await echoBehindProxy()
    link.proxy.cutAfter(100_000)
    const socket = await link.open()
    const failed = errorOf(socket)
    socket.write(Buffer.alloc(99_999))
    await until(() => link.proxy.bytes.up === 99_999)
    expect(socket.destroyed).toBe(false)
    socket.resume().write('x')
    expect(await failed).toBe('ECONNRESET')
    const again = await link.open()
    again.end(Buffer.alloc(200_000))
    expect((await buffer(again)).length).toBe(200_000)
  })

  it('is silent while blocked, and then delivers what was sent', async () => {
    await using link = await echoBehindProxy()
    const socket = await link.open()
    socket.write('1')
    await once(socket, 'data')
    const ending = await link.open()
    ending.write('4')
    await once(ending, 'data')
    let ended = false
    ending.resume().on('end', () => {
      ended = true
    })
    link.proxy.block()
    ending.end()
    let received = ''
    socket.on('data', (data) => {
      received += data
    })
    socket.write('2')
    const later = await link.open()
    later.write('3')
    // Another link answers in the meantime, so the blocked one had its chance.
    await using beside = await echoBehindProxy()
    const other = await beside.open()
    for (let at = 0; at < 2; at++) {
      other.write('x')
      await once(other, 'data')
      expect({ received, ended }).toEqual({ received: '', ended: false })
      // Healed for no time at all.
      link.proxy.heal()
      link.proxy.block()
    }
    other.write('x')
    await once(other, 'data')
    expect({ received, ended }).toEqual({ received: '', ended: false })
    expect(link.proxy.connections).toBe(3)
    link.proxy.heal()
    expect(String(await once(later, 'data'))).toBe('3')
    await until(() => received === '2' && ended)
  })

  it('carries nothing of a connection that was cut while it was silent', async () => {
    await using link = await echoBehindProxy()
    await using beside = await echoBehindProxy()
    const exchange = async (socket: Socket) => {
      socket.write('x')
      await once(socket, 'data')
    }
    const [socket, other] = [await link.open(), await beside.open()]
    await exchange(socket)
    link.proxy.block()
    socket.write('y')
    // In the meantime what was written has reached the proxy.
    await exchange(other)
    await exchange(other)
    const failed = errorOf(socket)
    link.proxy.cut()
    await failed
    link.proxy.heal()
    await exchange(await link.open())
    expect(link.proxy.bytes).toEqual({ up: 2, down: 2 })
  })

  it('makes the sender wait when its window is full, and then delivers all of it', async () => {
    await using link = await echoBehindProxy()
    await using beside = await echoBehindProxy()
    const [blocked, open] = [await link.open(), await beside.open()]
    blocked.write('x')
    await once(blocked, 'data')
    link.proxy.block()
    // More than the window, the streams and the system's own buffers hold.
    const sent = Buffer.alloc(32 << 20, 'a window is limited ')
    blocked.end(sent)
    open.end(sent)
    expect((await buffer(open)).equals(sent)).toBe(true)
    // The blocked one has had the same time.
    expect(blocked.writableLength).toBe(sent.length)
    link.proxy.heal()
    expect((await buffer(blocked)).equals(sent)).toBe(true)
  })

  it('refuses until healed', async () => {
    await using link = await echoBehindProxy()
    const open: Socket[] = []
    for (let at = 0; at < 3; at++) {
      const socket = await link.open()
      socket.write('x')
      await once(socket, 'data')
      open.push(socket)
    }
    expect(link.proxy.connections).toBe(3)
    const reset = open.map(errorOf)
    link.proxy.refuse()
    expect(await Promise.all(reset)).toEqual(Array(3).fill('ECONNRESET'))
    link.accepted.length = 0
    const refused = connect(link.proxy.port, link.proxy.host)
    refused.on('error', () => {})
    await closed(refused)
    expect(link.accepted).toEqual([])
    link.proxy.heal()
    const socket = await link.open()
    socket.write('x')
    await once(socket, 'data')
  })

  it('resets its clients when no server listens', async () => {
    await using proxy = await startProxy({ port: 1 })
    const socket = connect(proxy.port, proxy.host)
    expect(await errorOf(socket)).toBe('ECONNRESET')
  })

  it('has reset its connections and closed its port when it is disposed of', async () => {
    await using link = await echoBehindProxy()
    const { signal } = new AbortController()
    const proxy = await startProxy({ port: link.proxy.port, signal })
    const socket = connect(proxy.port, proxy.host)
    socket.write('x')
    await once(socket, 'data')
    const reset = errorOf(socket)
    await proxy[Symbol.asyncDispose]()
    expect(await errorOf(connect(proxy.port, proxy.host))).toBe('ECONNREFUSED')
    expect(await reset).toBe('ECONNRESET')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('ends with its signal, and does not start after it', async () => {
    await expect(startProxy({ port: 9, signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    const controller = new AbortController()
    await using proxy = await startProxy({ port: 9, signal: controller.signal })
    controller.abort()
    await until(
      () =>
        new Promise((resolve) =>
          connect(proxy.port, proxy.host)
            .once('error', resolve)
            .once('connect', () => resolve(false)),
        ),
    )
  })
})

/** The front: what it refuses, what it says about orders that it knows, and how it ends. */
import { connect } from 'node:net'
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ordersOf, placeOrders, plenty } from '../../src/pipeline/load.ts'
import { accept, type Order } from '../../src/pipeline/orders.ts'
import { type Pipeline, startPipeline } from '../../src/pipeline/pipeline.ts'
import { unsentOrders } from '../../src/pipeline/queues.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const orderNamed = (id: string): Order => ({ id, item: 'book', quantity: 1, cents: 100, card: 'good' })

describeReal('the front', need, () => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = await startPipeline({ stock: plenty, workers: { payment: 1, shipping: 1 }, proxied: true })
  })
  afterAll(() => pipeline?.[Symbol.asyncDispose]())

  const post = async (body: string | ReadableStream, headers: Record<string, string> = {}) => {
    const response = await fetch(`${pipeline.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      duplex: 'half',
    })
    return { status: response.status, answer: (await response.json()) as object }
  }
  /** Sends bytes over a connection of its own, and returns what comes back until the other side closes it. */
  const raw = async (bytes: string | Uint8Array) => {
    const socket = connect(Number(new URL(pipeline.url).port), '127.0.0.1').setEncoding('latin1')
    let received = ''
    socket.on('data', (text) => {
      received += text
    })
    socket.on('error', () => {})
    socket.write(bytes)
    await new Promise((resolve) => socket.once('close', resolve))
    return received
  }

  it('says of a repeated order what has become of it, and refuses another order of the same id', async () => {
    const order = orderNamed('twice')
    expect(await post(JSON.stringify(order))).toEqual({ status: 202, answer: { order: 'twice', state: 'placed' } })
    await pipeline.drained()
    expect(await post(JSON.stringify(order))).toEqual({ status: 202, answer: { order: 'twice', state: 'shipped' } })
    for (const other of [{ cents: 1 }, { quantity: 2 }, { item: 'lamp' }, { card: 'refused' }])
      expect(await post(JSON.stringify({ ...order, ...other })), JSON.stringify(other)).toEqual({
        status: 409,
        answer: { error: 'id: twice is another order; accepts a new id, or the same order again' },
      })
    const history = (await pipeline.store.history()).filter(({ effect }) => effect.order === 'twice')
    expect(history.filter(({ booked }) => booked).map(({ effect }) => effect.do)).toEqual([
      'create',
      'charge',
      'advance',
      'take',
      'advance',
    ])
  })

  it('refuses large bodies, other types, other sites and other names', async () => {
    const large = 'x'.repeat(1 << 20)
    const inPieces = () => new Blob([large]).stream()
    for (const [body, headers, status] of [
      [large, {}, 413],
      [inPieces(), {}, 413],
      [JSON.stringify(orderNamed('plain')), { 'content-type': 'text/plain' }, 415],
      [JSON.stringify(orderNamed('site')), { origin: 'http://shop.example' }, 403],
      [JSON.stringify(orderNamed('port')), { origin: 'http://127.0.0.1:1' }, 403],
      [JSON.stringify(orderNamed('file')), { origin: 'null' }, 403],
      [JSON.stringify(orderNamed('own')), { origin: pipeline.url }, 202],
      [JSON.stringify(orderNamed('type')), { 'content-type': 'Application/JSON; charset=utf-8' }, 202],
    ] as const) {
      expect((await post(body, headers)).status, JSON.stringify(headers)).toBe(status)
    }
    // fetch always sends the real name.
    expect(await raw('GET /orders/own HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 403 /,
    )
    for (const id of ['plain', 'site', 'port', 'file']) expect(await pipeline.store.stateOf(id)).toBe(undefined)
  })

  it('is not disturbed by clients that speak TLS, or nonsense', async () => {
    const hello = Uint8Array.of(22, 3, 1, 0, 5, 1, 0, 0, 1, 0)
    for (const bytes of [hello, 'once upon a time\r\n\r\n']) expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 4\d\d /)
    await raw(new Uint8Array(100_000))
    expect((await post(JSON.stringify(orderNamed('after')))).status).toBe(202)
  })

  it('answers the requests in progress before it ends, and no placed order is without a job', async () => {
    await pipeline.drained()
    // So few that a busy machine answers them within the time that a front takes to end.
    const orders = ordersOf(3, 40).map((order) => ({ ...order, id: `last-${order.id}` }))
    const link = pipeline.links.get('front')
    const front = pipeline.processes.get('front')
    if (!link || !front) throw new Error('no front')
    // Each request is at Redis for a while.
    link.delayMs = 100
    const slow = connect(Number(new URL(pipeline.url).port), '127.0.0.1')
    slow.on('error', () => {})
    slow.write(
      'POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    )
    const before = await pipeline.store.historyLength()
    const posting = orders.map((order) =>
      post(JSON.stringify(order)).then(
        ({ status }) => status,
        () => 'reset' as const,
      ),
    )
    await until(async () => (await pipeline.store.historyLength()) > before)
    expect(await front.stop()).toEqual({ code: 0, signal: null })
    const answers = await Promise.all(posting)
    for (const [at, answer] of answers.entries()) {
      const state = await pipeline.store.stateOf(orders[at]?.id ?? '')
      // An order is accepted, or it has left no trace.
      expect([answer, state !== undefined], orders[at]?.id).toEqual(answer === 202 ? [202, true] : ['reset', false])
    }
    expect(answers).toContain(202)
    expect(await unsentOrders(pipeline.store, pipeline.queues)).toEqual([])
    slow.destroy()
    link.delayMs = 0
    await pipeline.start('front')
    // What was not accepted is sent again.
    await placeOrders({ url: pipeline.url, orders })
    await pipeline.drained()
  })

  it('sends on what its predecessor had only placed', async () => {
    const order = orderNamed('stranded')
    const handler = accept(order, { now: Date.now, delivery: 1 })
    const first = handler.next().value
    if (!('do' in first) || first.do !== 'create') throw new Error('an order is placed first')
    // As after a SIGKILL between the two steps.
    await pipeline.store.perform(first, 'front', 0)
    // On a busy machine the time may be over before it has looked.
    await until(async () => {
      await expect(pipeline.drained({ timeoutMs: 1_000 })).rejects.toThrow('placed and without a job: 1 order')
      return true
    })
    await pipeline.kill('front')
    await pipeline.start('front')
    await pipeline.drained()
    expect(await pipeline.store.stateOf('stranded')).toBe('shipped')
  })
})

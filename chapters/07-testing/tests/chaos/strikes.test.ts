/** Every fault of `chaos` happens: what it does to a running process can be seen in the history and at Redis. */
import { until } from '@repo/common/async/until'
import { StateRecord } from '@repo/common/servers/faults'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Fault } from '../../src/chaos/faults.ts'
import { type Field, type State, strikes } from '../../src/chaos/strikes.ts'
import { ordersOf, placeOrders, plenty } from '../../src/pipeline/load.ts'
import { type Pipeline, startPipeline } from '../../src/pipeline/pipeline.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const [signal, target] = [new AbortController().signal, 'payment 1']

describeReal('a fault', need, () => {
  let pipeline: Pipeline
  let field: Field
  let orders = 0
  beforeAll(async () => {
    const workers = { payment: 1, shipping: 1 }
    pipeline = await startPipeline({
      stock: plenty,
      workers,
      proxied: true,
      durable: true,
      lockMs: 500,
      slowMs: [100, 100],
    })
    const gate = { orders: 0, open: 0, openTo() {} }
    const record = new StateRecord<State>()
    field = { pipeline, gate, record, accepted: () => 0, isRecovering: () => false, signal }
  }, 60_000)
  afterAll(() => pipeline?.[Symbol.asyncDispose]())

  const strike = async (fault: Partial<Fault> & Pick<Fault, 'kind'>) =>
    await strikes[fault.kind](field, { atOrder: 0, target, ms: 0, ...fault })

  /** Places one order, and returns what the target has done for it when it has been paid. */
  async function paid() {
    const order = { ...ordersOf(1, 1)[0], id: `order-${++orders}` } as ReturnType<typeof ordersOf>[number]
    await placeOrders({ url: pipeline.url, orders: [order], signal })
    const own = async () =>
      (await pipeline.store.history()).filter(({ by, effect }) => by === target && effect.order === order.id)
    await until(async () => (await own()).some(({ effect }) => effect.do === 'advance'), {
      what: 'the order is paid',
    })
    return await own()
  }
  /** Strikes while orders come in, because a fault may wait until its target has work. */
  async function strikeAtWork(fault: Parameters<typeof strike>[0]) {
    let isOver = false
    const struck = strike(fault).finally(() => {
      isOver = true
    })
    struck.catch(() => {})
    while (!isOver) await paid()
    return await struck
  }
  const storeMs = async () => {
    const [seconds, microseconds] = await pipeline.store.redis.time()
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000
  }

  it('of the clock makes it wrong by the offset', async () => {
    await strikeAtWork({ kind: 'clock', ms: -90_000 })
    for (const { atMs, storeMs } of await paid()) expect(storeMs - atMs).toBeGreaterThan(89_000)
    await strikeAtWork({ kind: 'clock', ms: 0 })
    for (const { atMs, storeMs } of await paid()) expect(storeMs - atMs).toBeLessThan(60_000)
  })

  it('of a slow line delays each request, until it is over', async () => {
    const enough = new AbortController()
    const fault: Fault = { kind: 'delay', target, atOrder: 0, ms: 60_000, addedMs: 400 }
    const { over } = await strikes.delay({ ...field, signal: enough.signal }, fault)
    over?.catch(() => {})
    // The charge comes first; what follows may be later than that.
    const [charge] = await paid()
    expect((charge?.storeMs ?? 0) - (charge?.atMs ?? 0)).toBeGreaterThan(190)
    enough.abort()
    await expect(over).rejects.toThrow('aborted')
    expect(pipeline.links.get(target)?.delayMs).toBe(0)
  })

  it('of a silent line lets nothing through, until it is over', async () => {
    const began = await storeMs()
    const { over } = await strike({ kind: 'half-open', ms: 1_000 })
    for (const { storeMs } of await paid()) expect(storeMs - began).toBeGreaterThan(990)
    await over
  })

  it('of connections resets them all, and they come back', async () => {
    const addresses = async () => {
      const list = String(await pipeline.store.redis.client('LIST'))
      return new Set(list.match(/(?<=^id=)\d+/gm))
    }
    const before = await addresses()
    await strike({ kind: 'cut' })
    await until(async () => (await addresses()).difference(before).size >= 2, { what: 'connections come back' })
    await until(async () => before.difference(await addresses()).size >= 2, { what: 'the old ones are gone' })
    await paid()
  })

  it('that kills a worker, or Redis, gives it another process, and nothing is forgotten', async () => {
    const pid = () => pipeline.processes.get(target)?.process.pid
    const before = pid()
    const { held, over } = await strikeAtWork({ kind: 'kill' })
    await over
    expect(held).toBeGreaterThan(0)
    expect(pid()).not.toBe(before)
    const redisPid = pipeline.redis.server?.process.pid
    const history = await pipeline.store.historyLength()
    await (await strike({ kind: 'restart', target: 'redis' })).over
    expect(pipeline.redis.server?.process.pid).not.toBe(redisPid)
    expect(await pipeline.store.historyLength()).toBeGreaterThanOrEqual(history)
    await paid()
  })
})

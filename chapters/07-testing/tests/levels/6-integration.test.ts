/** Integration: the parts that we did not write. The script in a real Redis does what the in-memory store does. */
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { check } from '../../src/pipeline/invariants.ts'
import { MemoryStore, type StoreEffect } from '../../src/pipeline/memory-store.ts'
import { run, ship } from '../../src/pipeline/orders.ts'
import { jobIdOf, openQueues } from '../../src/pipeline/queues.ts'
import { RedisStore } from '../../src/pipeline/redis-store.ts'
import { bug, order, stepsToPaid } from './planted.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

const id = fc.constantFrom('order-1', 'order-2', 'order-3')
const item = fc.constantFrom('book', 'lamp', 'chair')
const small = fc.integer({ min: 1, max: 3 })
const effects: fc.Arbitrary<StoreEffect> = fc.oneof(
  fc.record({
    do: fc.constant('create' as const),
    order: id,
    content: fc.constantFrom('a book', 'a lamp'),
    version: small,
  }),
  fc.record({
    do: fc.constant('charge' as const),
    key: id,
    order: id,
    cents: small,
    mostTries: small,
    card: fc.constantFrom<('good' | 'refused')[]>('good', 'refused'),
  }),
  fc.record({ do: fc.constant('refund' as const), order: id, cents: small }),
  fc.record({ do: fc.constant('take' as const), order: id, item, quantity: small }),
  fc.record({ do: fc.constant('read stock' as const), order: id, item }),
  fc.record({ do: fc.constant('write stock' as const), order: id, item, quantity: small, left: fc.nat(5) }),
  fc.record({
    do: fc.constant('advance' as const),
    order: id,
    version: fc.integer({ min: -3, max: 3 }),
    state: fc.constantFrom<('paid' | 'shipped' | 'failed')[]>('paid', 'shipped', 'failed'),
  }),
)

describeReal('the store in Redis', need, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let prefixes = 0
  beforeAll(async () => {
    // Its own Redis, even if REDIS_URL names another: nothing would remove the keys from that one.
    redis = await startRedis({ own: true })
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())
  const prefix = () => `levels-${process.pid}-${++prefixes}`

  it('answers as the in-memory store does, and keeps the same history', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(effects, { maxLength: 30 }), async (steps) => {
        const stock = { book: 3, lamp: 2 }
        const memory = new MemoryStore(stock)
        await using store = new RedisStore(redis.url, prefix())
        await store.fill(stock)
        for (const effect of steps) {
          expect(await store.perform(effect, 'test', 7)).toBe(memory.perform(effect, 'test', 7))
        }
        const { history, ...books } = memory.books()
        const expected = history.map((entry) => ({ ...entry, storeMs: expect.any(Number) }))
        expect(await store.books()).toEqual({ ...books, history: expected })
        for (const each of ['order-1', 'order-2', 'order-3'])
          expect(await store.stateOf(each)).toBe(memory.stateOf(each))
      }),
      { numRuns: 50 },
    )
  })

  it('copes with twenty handlers at once', async () => {
    const stock = { book: 12 }
    await using store = new RedisStore(redis.url, prefix())
    await store.fill(stock)
    const orders = Array.from({ length: 20 }, (_, at) => order(at + 1))
    for (const each of orders) for (const effect of stepsToPaid(each)) await store.perform(effect, 'test', 0)
    const context = { bug, delivery: 1, now: Date.now }
    await Promise.all(
      orders.map((each) =>
        run(ship(each, context), async (effect) =>
          effect.do === 'send' || effect.do === 'acknowledge' ? 'done' : await store.perform(effect, 'test', 0),
        ),
      ),
    )
    expect(check({ ...(await store.books()), orders, stockBefore: stock })).toEqual([])
  })

  it.each(['id', 'wait'])('has a queue that takes an order called "%s", as BullMQ calls its own keys', async (id) => {
    const { queues, send, close } = openQueues({ url: redis.url, prefix: prefix() })
    try {
      await send('payment', { ...order(1), id })
      expect((await queues.payment.getWaiting()).map(({ data }) => data.id)).toEqual([id])
    } finally {
      await close()
    }
  })

  it('has a queue that adds an order once', async () => {
    const { queues, send, close } = openQueues({ url: redis.url, prefix: prefix() })
    try {
      for (let times = 0; times < 3; times++) await send('payment', order(1))
      expect(await queues.payment.getJobCounts('wait', 'active', 'delayed')).toEqual({ wait: 1, active: 0, delayed: 0 })
      expect((await queues.payment.getJob(jobIdOf('order-1')))?.data).toEqual(order(1))
    } finally {
      await queues.payment.obliterate({ force: true })
      await close()
    }
  })
})

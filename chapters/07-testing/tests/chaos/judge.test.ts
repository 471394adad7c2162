/**
 * The judge of `chaos` on bugs that nobody has planted for readers. Each is a wrong bank, warehouse or handler, and what it
 * does is done in a real Redis: no process and no fault is needed to see whether the books show it.
 */
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { UnrecoverableError, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openJobsOf } from '../../src/chaos/chaos.ts'
import { check, type Invariant } from '../../src/pipeline/invariants.ts'
import type { StoreEffect } from '../../src/pipeline/memory-store.ts'
import {
  type Answer,
  accept,
  type Effect,
  type Handler,
  type Order,
  pay,
  run,
  ship,
} from '../../src/pipeline/orders.ts'
import { openQueues } from '../../src/pipeline/queues.ts'
import { RedisStore } from '../../src/pipeline/redis-store.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

const order = (id: string, about: Partial<Order> = {}): Order => ({
  id,
  item: 'book',
  quantity: 1,
  cents: 1_250,
  card: 'good',
  ...about,
})
/** One is shipped, one is sold out and refunded, and one cannot be paid. */
const orders = [order('shipped'), order('sold-out', { quantity: 9 }), order('refused', { card: 'refused' })]
const stockBefore = { book: 5 }

interface World {
  perform: (effect: StoreEffect) => Promise<Answer>
  /** Makes the bank forget a key. */
  forget: (key: string) => Promise<unknown>
}
type Bug = (effect: StoreEffect, world: World) => Promise<Answer>

const bugs: Record<string, { bug: Bug; breaks: Invariant }> = {
  'a duplicate refund': {
    bug: async (effect, { perform, forget }) => {
      if (effect.do === 'refund') await forget(`refund of ${effect.order}`)
      return await perform(effect)
    },
    breaks: 'money balances',
  },
  'a charge that forgets its key once paid': {
    bug: async (effect, { perform, forget }) => {
      const answer = await perform(effect)
      if (effect.do === 'charge') await forget(effect.key)
      return answer
    },
    breaks: 'money balances',
  },
  'one cent less': {
    bug: (effect, { perform }) => perform(effect.do === 'charge' ? { ...effect, cents: effect.cents - 1 } : effect),
    breaks: 'money balances',
  },
  'goods shipped that were never taken': {
    bug: async (effect, { perform }) => (effect.do === 'take' ? 'taken' : await perform(effect)),
    breaks: 'goods balance',
  },
  'sold out with goods left': {
    bug: async (effect, { perform }) => (effect.do === 'take' ? 'sold out' : await perform(effect)),
    breaks: 'goods balance',
  },
  'a refund without a charge': {
    bug: async (effect, { perform }) => {
      const answer = await perform(effect)
      if (answer === 'given up' && effect.do === 'charge') {
        const { order, cents } = effect
        await perform({ do: 'refund', order, cents })
      }
      return answer
    },
    breaks: 'money balances',
  },
  'no tries at all': {
    bug: (effect, { perform }) => perform(effect.do === 'charge' ? { ...effect, mostTries: 0 } : effect),
    breaks: 'retries bounded',
  },
}

describeReal('the books in Redis', need, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let prefixes = 0
  beforeAll(async () => {
    redis = await startRedis({ own: true })
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())

  /** All orders to their ends, each step delivered twice, as after a crash; returns what the judge finds. */
  async function judged(bug: Bug) {
    const prefix = `judge-${++prefixes}`
    await using store = new RedisStore(redis.url, prefix)
    await store.fill(stockBefore)
    const world: World = {
      perform: (effect) => store.perform(effect, 'test', 0),
      forget: (key) => store.redis.srem(`${prefix}:charges`, key),
    }
    const perform = async (effect: Effect) =>
      effect.do === 'send' || effect.do === 'acknowledge' ? 'done' : await bug(effect, world)
    const twice = async (handler: () => Handler) => {
      for (let times = 0; times < 2; times++) while (!(await run(handler(), perform)).done);
    }
    const context = { now: () => 0, delivery: 1 }
    for (const each of orders) {
      for (const handler of [accept, pay]) await twice(() => handler(each, context))
      if ((await store.stateOf(each.id)) === 'paid') await twice(() => ship(each, context))
    }
    return check({ ...(await store.books()), orders, stockBefore }).map(({ invariant }) => invariant)
  }

  it('show nothing without a bug', async () => {
    expect(await judged((effect, { perform }) => perform(effect))).toEqual([])
  })

  it('are not all there is to see: a job that is not done, or was given up, stays open', async () => {
    const { queues, send, close } = openQueues({ url: redis.url, prefix: 'open-jobs' })
    await using _queues = { [Symbol.asyncDispose]: close }
    expect(await openJobsOf({ queues })).toEqual([])
    await send('payment', order('waits'))
    await send('shipping', order('failed'))
    const worker = new Worker('shipping', null, { connection: { url: redis.url }, prefix: 'open-jobs' })
    await using _worker = { [Symbol.asyncDispose]: () => worker.close() }
    const job = await worker.getNextJob('token')
    await job?.moveToFailed(new UnrecoverableError('no order'), 'token')
    expect(await openJobsOf({ queues })).toEqual(['the payment of waits', 'the shipping of failed'])
  })

  it.each(Object.entries(bugs))('show %s', async (_, { bug, breaks }) => {
    expect(await judged(bug)).toContain(breaks)
  })
})

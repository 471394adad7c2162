/** End to end: everything as a customer sees it, through HTTP, on a good day. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { check } from '../../src/pipeline/invariants.ts'
import { ordersOf, placeOrders, stockFor } from '../../src/pipeline/load.ts'
import { isFinal, type Order } from '../../src/pipeline/orders.ts'
import { startPipeline } from '../../src/pipeline/pipeline.ts'
import { bug } from './planted.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('the pipeline', need, () => {
  it('takes orders, says what became of them, and refuses what is not an order', async () => {
    const orders = ordersOf(1, 100)
    const stock = stockFor(orders)
    await using pipeline = await startPipeline({ stock, workers: { payment: 1, shipping: 2 }, bug })
    const { url, store, queues } = pipeline
    // Somebody has put something else into the queue, to be retried for ever.
    const poison = await queues.payment.add('payment', { id: 'poison' } as Order, { attempts: 1_000_000 })
    await placeOrders({ url, orders })
    // An impatient customer has sent the first order again.
    await placeOrders({ url, orders: orders.slice(0, 1) })
    // A bug may keep it from ever ending; then there is no need to wait as long as a busy machine might take.
    await pipeline.drained({ timeoutMs: bug ? 15_000 : 60_000 })

    const states = await Promise.all(
      orders.map(async ({ id }) => (await (await fetch(`${url}/orders/${id}`)).json()) as { state: 'shipped' }),
    )
    expect(states.every(({ state }) => isFinal(state))).toBe(true)
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['shipped', 'sold out', 'failed']))
    expect(check({ ...(await store.books()), orders, stockBefore: stock })).toEqual([])
    const refused = await queues.payment.getJob(poison.id ?? '')
    expect(refused).toMatchObject({ attemptsMade: 1, failedReason: expect.stringMatching(/^no order: item: /) })

    const headers = { 'content-type': 'application/json', 'x-correlation-id': 'mine' }
    const post = (body: string) => fetch(`${url}/orders`, { method: 'POST', headers, body })
    const wrong = await post(JSON.stringify({ ...orders[0], quantity: 0 }))
    expect([wrong.status, await wrong.json()]).toEqual([400, { error: expect.stringMatching(/^quantity: /) }])
    expect((await post('{')).status).toBe(400)
    expect((await post(JSON.stringify(orders[0]))).headers.get('x-correlation-id')).toBe('mine')
    // A correlation id that would fill the logs is replaced; the order counts all the same.
    headers['x-correlation-id'] = 'x'.repeat(8_000)
    const replaced = await post(JSON.stringify(orders[0]))
    expect([replaced.status, replaced.headers.get('x-correlation-id')]).toEqual([
      202,
      expect.stringMatching(/^[\w-]{36}$/),
    ])
    expect((await fetch(`${url}/orders/nobody`)).status).toBe(404)
  })
})

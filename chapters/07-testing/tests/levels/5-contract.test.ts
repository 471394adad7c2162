/**
 * Contract: the consumer accepts what the producer puts into the queue, even when the two were not deployed on the same
 * day. This level catches a renamed field, but sees nothing of what is done with it.
 */
import { readFile } from 'node:fs/promises'
import { UnrecoverableError } from 'bullmq'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accept, orderSchema, pay, stages } from '../../src/pipeline/orders.ts'
import { orderIn } from '../../src/pipeline/queues.ts'
import { bug } from './planted.ts'

const messages = fc.record(
  {
    id: fc.stringMatching(/^[A-Za-z][\w-]{0,63}$/),
    item: fc.stringMatching(/^[a-z]{1,32}$/),
    quantity: fc.integer({ min: 1, max: 100 }),
    cents: fc.integer({ min: 1, max: 10_000_000 }),
    card: fc.constantFrom('good', 'refused'),
    correlation: fc.string({ maxLength: 64 }),
  },
  { requiredKeys: ['id', 'item', 'quantity', 'cents', 'card'] },
)

it('the workers accept whatever the front sends, after a round trip through JSON', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const order = orderSchema.parse(message)
      const context = { bug, now: () => 0, delivery: 1 }
      const front = accept(order, context)
      front.next()
      const toPayment = front.next('created').value
      const payment = pay(order, context)
      payment.next()
      payment.next('charged')
      const toShipping = payment.next('advanced').value
      const sent = [toPayment, toShipping]
      expect(sent).toEqual(stages.map((to) => ({ do: 'send', to, order: expect.anything() })))
      for (const effect of sent) {
        expect(orderIn({ data: JSON.parse(JSON.stringify('order' in effect && effect.order)) })).toEqual(order)
      }
    }),
  )
})

it('messages of the first version are still accepted, because the queue may hold some', async () => {
  const recorded = await readFile(new URL('./order-v1.json', import.meta.url), 'utf8')
  expect(orderIn({ data: JSON.parse(recorded) })).toMatchObject({ id: 'order-1', quantity: 2, cents: 1_250 })
})

it.each([
  ['no id', { id: undefined }],
  ['an id that could be a key of something else', { id: 'a:b' }],
  ['half a book', { quantity: 0.5 }],
  ['an amount as text', { cents: '1250' }],
  ['an unknown card', { card: 'stolen' }],
])('refuses %s, and does not ask for it again', async (_, wrong) => {
  const recorded = JSON.parse(await readFile(new URL('./order-v1.json', import.meta.url), 'utf8'))
  expect(() => orderIn({ data: { ...recorded, ...wrong } })).toThrow(UnrecoverableError)
})

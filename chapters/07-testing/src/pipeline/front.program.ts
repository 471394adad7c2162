/** The front of the pipeline: takes orders over HTTP and puts them into the queue. Started by startPipeline. */
import { type HttpBindings, serve } from '@hono/node-server'
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { Hono } from 'hono'
import { correlationOf, loadInstruments } from './instruments.ts'
import { accept, type Order, orderSchema, run } from './orders.ts'
import { messageName, openQueues } from './queues.ts'
import { RedisStore } from './redis-store.ts'
import { settingsOf, skewedClock } from './settings.ts'

const { REDIS_URL: url = '' } = process.env
const { name, prefix, bug, instruments, port, clockOffsetMs } = settingsOf(process.argv[2])
const now = skewedClock(clockOffsetMs)
const { log, around, telemetry, routes, close } = await loadInstruments(instruments, {
  name,
  kind: 'front',
  now,
  prefix,
})
const store = new RedisStore(url, prefix)
const queues = openQueues({ url, prefix, telemetry })

const app = new Hono<{ Bindings: HttpBindings }>()
routes?.(app as unknown as Hono)

/** 202: accepted, and kept whatever happens next. The same order may be sent again, and is accepted once. */
app.post('/orders', async (context) => {
  const given = context.req.header('x-correlation-id')
  const correlation = correlationOf(given)
  if (given !== undefined && given !== correlation)
    log.warn({ correlation, length: given.length }, 'the given correlation id is replaced')
  const body: unknown = await context.req.json().catch(() => undefined)
  const parsed = orderSchema.safeParse(Object.assign({}, body, { correlation }))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    log.warn({ correlation, field: issue?.path.join('.') }, 'order refused')
    return context.json({ error: `${issue?.path.join('.') || 'order'}: accepts ${issue?.message}` }, 400)
  }
  const order: Order = parsed.data
  const about = { order: order.id, correlation }
  const traceparent = context.req.header('traceparent')
  await around({ kind: 'request', name: 'POST /orders', ...about, traceparent }, async () => {
    log.debug(about, 'order received')
    await run(accept(order, { bug, now, delivery: 1 }), (effect) =>
      around({ kind: 'effect', name: effect.do, ...about }, async () => {
        if (effect.do === 'acknowledge') return 'acknowledged'
        if (effect.do === 'send') {
          const { item, quantity } = order
          log.info({ ...about, item, quantity, sends: messageName(effect.to, effect.order) }, `sends to ${effect.to}`)
          return await queues.send(effect.to, effect.order)
        }
        return await store.perform(effect, name, now())
      }),
    )
    log.debug(about, 'order accepted')
  })
  context.header('x-correlation-id', correlation)
  return context.json({ order: order.id, state: 'placed' }, 202)
})

app.get('/orders/:id', async (context) => {
  const state = await store.stateOf(context.req.param('id'))
  return state === undefined
    ? context.json({ error: `order ${context.req.param('id')} is not known` }, 404)
    : context.json({ order: context.req.param('id'), state })
})

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (address) => {
  log.info({ node: process.version }, 'started')
  ready({ port: address.port })
})
server.on('error', (error) => {
  process.stderr.write(`${describeError(error)}\n`)
  process.exit(1)
})
process.once('SIGTERM', () => {
  server.close(async () => {
    await queues.close()
    await store[Symbol.asyncDispose]()
    await close?.()
    process.disconnect?.()
  })
  // Otherwise clients' idle connections would keep it open.
  if ('closeAllConnections' in server) server.closeAllConnections()
})

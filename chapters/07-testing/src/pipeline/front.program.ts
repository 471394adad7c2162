/** The front of the pipeline: takes orders over HTTP and puts them into the queue. Started by startPipeline. */
import type { Server } from 'node:http'
import { type HttpBindings, serve } from '@hono/node-server'
import { until } from '@repo/common/async/until'
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { type Context, Hono } from 'hono'
import { endServer, readBody } from './http.ts'
import { correlationOf, loadInstruments } from './instruments.ts'
import { type Answer, accept, type Order, orderSchema, run } from './orders.ts'
import { messageName, openQueues, unsentOrders } from './queues.ts'
import { RedisStore } from './redis-store.ts'
import { settingsOf, skewedClock } from './settings.ts'

/** An order has some two hundred bytes. */
const mostBytes = 16_384
/** A client that takes longer to send its request is cut off. */
const requestTimeout = 10_000
/** How long the requests in progress may take when the front ends. */
const graceMs = 4_000

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
const { queues, send, close: closeQueues } = openQueues({ url, prefix, telemetry })

const app = new Hono<{ Bindings: HttpBindings }>()
routes?.(app as unknown as Hono)

type Refusal = 400 | 403 | 409 | 413 | 415
function refuse(context: Context, status: Refusal, error: string, about: object = {}) {
  log.warn({ ...about, status }, 'request refused')
  return context.json({ error }, status)
}

/** The requests in progress, also those whose clients have gone. */
let inProgress = 0
let isEnding = false
app.use('*', async (context, next) => {
  inProgress++
  try {
    await next()
  } finally {
    inProgress--
  }
  // The client must not send its next request on this connection.
  if (isEnding) context.res.headers.set('connection', 'close')
})

// A browser lets the page of any site send requests to loopback: the header Origin names the site. A site whose name leads
// to loopback has itself for an origin, and Host has its name.
app.use('*', async (context, next) => {
  const host = context.req.header('host') ?? ''
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(URL.parse(`http://${host}`)?.hostname ?? ''))
    return refuse(context, 403, 'host: accepts 127.0.0.1 and localhost')
  const origin = context.req.header('origin')
  if (origin !== undefined && origin !== `http://${host}`)
    return refuse(context, 403, 'origin: accepts requests of no other site')
  return await next()
})

app.use('/orders', async (context, next) => {
  const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (context.req.method === 'POST' && type !== 'application/json')
    return refuse(context, 415, 'content-type: accepts application/json')
  return await next()
})
/** Undefined for what is no JSON. */
function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

/** 202: accepted, and kept whatever happens next. The same order may be sent again, and is accepted once. */
app.post('/orders', async (context) => {
  const given = context.req.header('x-correlation-id')
  const correlation = correlationOf(given)
  if (given !== undefined && given !== correlation)
    log.warn({ correlation, length: given.length }, 'the given correlation id is replaced')
  const body = await readBody(context.env.incoming, mostBytes)
  if (!body) return refuse(context, 413, `order: accepts at most ${mostBytes} bytes`, { correlation })
  const parsed = orderSchema.safeParse(Object.assign({}, jsonOf(body), { correlation }))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = issue?.path.join('.') || 'order'
    return refuse(context, 400, `${field}: accepts ${issue?.message}`, { correlation, field })
  }
  const order: Order = parsed.data
  const about = { order: order.id, correlation }
  const [traceparent, baggage] = [context.req.header('traceparent'), context.req.header('baggage')]
  let created: Answer = 'known'
  await around({ kind: 'request', name: 'POST /orders', ...about, traceparent, baggage }, async () => {
    log.debug(about, 'order received')
    await run(accept(order, { bug, now, delivery: 1 }), (effect) =>
      around({ kind: 'effect', name: effect.do, ...about }, async () => {
        if (effect.do === 'acknowledge') return 'acknowledged'
        if (effect.do === 'send') {
          const { item, quantity } = order
          log.info({ ...about, item, quantity, sends: messageName(effect.to, effect.order) }, `sends to ${effect.to}`)
          return await send(effect.to, effect.order)
        }
        const answer = await store.perform(effect, name, now())
        if (effect.do === 'create') created = answer
        return answer
      }),
    )
    log.debug(about, 'order accepted')
  })
  context.header('x-correlation-id', correlation)
  if (created === 'conflict')
    return refuse(context, 409, `id: ${order.id} is another order; accepts a new id, or the same order again`, about)
  const state = created === 'created' ? 'placed' : await store.stateOf(order.id)
  return context.json({ order: order.id, state }, 202)
})

app.get('/orders/:id', async (context) => {
  const state = await store.stateOf(context.req.param('id'))
  return state === undefined
    ? context.json({ error: `order ${context.req.param('id')} is not known` }, 404)
    : context.json({ order: context.req.param('id'), state })
})

/** A front that was killed may have placed orders without sending them on. Its successor sends them. */
async function repair() {
  for (const unsent of await unsentOrders(store, queues)) {
    const order: Order = { ...unsent, correlation: correlationOf(undefined) }
    const about = { order: order.id, correlation: order.correlation }
    log.warn({ ...about, sends: messageName('payment', order) }, 'had no job: sends to payment')
    await send('payment', order)
  }
}

const serverOptions = { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval: 1_000 }
// Without `createServer` it is Node's plain HTTP server.
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port, serverOptions }, (address) => {
  log.info({ node: process.version }, 'started')
  ready({ port: address.port })
  repair().catch((error) => log.error({ err: error }, 'could not look for orders without a job'))
}) as Server
server.on('error', (error) => {
  process.stderr.write(`${describeError(error)}\n`)
  process.exit(1)
})
process.once('SIGTERM', async () => {
  isEnding = true
  await endServer(server, graceMs)
  await until(() => inProgress === 0, { timeoutMs: graceMs }).catch(() => {})
  await closeQueues()
  await store[Symbol.asyncDispose]()
  await close?.()
  process.disconnect?.()
})

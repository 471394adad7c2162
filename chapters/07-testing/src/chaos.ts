/** The pipeline under load while faults strike it, and the verdict from the recorded history. */
import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, type FaultSettings, faultsOf } from './chaos-faults.ts'
import { check, type Violation } from './invariants.ts'
import { ordersOf, placeOrders, stockFor } from './load.ts'
import { type Bug, isFinal, type Order } from './orders.ts'
import { type Pipeline, startPipeline } from './pipeline.ts'

export interface ChaosSettings extends FaultSettings {
  /** Orders per second. */
  rate: number
  bug?: Bug | undefined
  /** Of the front. */
  port?: number
}

/** A stretch of time in the life of a process, in ms since the first order was sent. */
export interface Span {
  who: string
  what: 'up' | 'slow' | 'silent'
  from: number
  to: number
}

/** A fault as it went. */
export interface Struck extends Fault {
  atMs: number
  /** Of `kill`: how many orders it had in the middle. */
  held: number
}

export interface ChaosReport {
  faults: Struck[]
  violations: Violation[]
  spans: Span[]
  /** When each order ended, by its id, in ms since the first one was sent. */
  endedMs: Map<string, number>
  /** When the last thing happened to an order that was broken, in ms since the first one was sent. */
  brokenMs: number[]
  /** How many requests of the history were repeated: an effect that had been performed already. */
  repeated: number
  ms: number
}

export interface ChaosOptions {
  signal: AbortSignal
  /** Called with how many orders have been sent, and with a fault when it has struck. */
  onProgress?: (sent: number, struck?: Fault) => void
}

/** How long a kill waits for its target to be in the middle of something. */
const busyDeadlineMs = 10_000
/** With so many under way, every worker should have some. */
const fewOrders = 24
/** How long orders may take to end when all faults are over. */
const patienceMs = 180_000

/**
 * Runs the pipeline on a Redis of its own, strikes it, and checks the invariants when all is quiet again.
 *
 * @throws an Error of one line when there is no Redis, the port is in use, or a process ends that was not struck
 */
export async function chaos(settings: ChaosSettings, { signal, onProgress }: ChaosOptions): Promise<ChaosReport> {
  const orders = ordersOf(settings.seed, settings.orders)
  const stock = stockFor(orders)
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  await using pipeline = await startPipeline({
    ...{ stock, workers: settings.workers, lockMs: settings.lockMs, bug: settings.bug, signal },
    onFailure: (error) => failed.abort(error),
    ...{ proxied: true, durable: true, ...(settings.port !== undefined && { port: settings.port }) },
  })
  const begin = performance.now()
  const beginStoreMs = await storeTime(pipeline)
  const now = () => performance.now() - begin

  const spans: Span[] = []
  const open = (who: string, what: Span['what']): Disposable => {
    const from = now()
    return { [Symbol.dispose]: () => void spans.push({ who, what, from, to: now() }) }
  }
  /** Who is up, and since when. */
  const up = new Map<string, Disposable>()
  const rises = (who: string) => up.set(who, open(who, 'up'))
  const falls = (who: string) => up.get(who)?.[Symbol.dispose]()
  for (const who of [...pipeline.processes.keys(), 'redis']) rises(who)

  const struck: Struck[] = []
  /** What a target has to get over before it can be struck again: its start, or a line that is bad for a while. */
  const lasting = new Map<string, Promise<unknown>>()
  /** The load stops at the next fault's order until that has struck; a worker that is to be killed must find work. */
  const load = { stopsAt: 0, sent: 0, changes: new EventEmitter() }
  const accepted: Order[] = []
  const sending = placeOrders({
    ...{ url: pipeline.url, orders, rate: settings.rate, signal: stop },
    onSend: async (at) => {
      while (at > load.stopsAt) await once(load.changes, 'stop', { signal: stop })
      load.sent = at + 1
      load.changes.emit('sent')
      onProgress?.(load.sent)
    },
    onAccepted: (order) => accepted.push(order),
  })
  sending.catch((error) => failed.abort(error))
  const stopAt = (order: number) => {
    load.stopsAt = order
    load.changes.emit('stop')
  }

  /** Lets some more orders through when there are few under way. */
  const feed = async () => {
    const underWay = load.stopsAt - accepted.length + (await pipeline.pending())
    if (underWay < fewOrders) stopAt(load.stopsAt + fewOrders / 3)
  }

  for (const fault of faultsOf(settings)) {
    stopAt(Math.max(load.stopsAt, fault.atOrder))
    while (load.sent <= fault.atOrder) await once(load.changes, 'sent', { signal: stop })
    const { target, ms } = fault
    await lasting.get(target)
    const link = pipeline.links.get(target)
    const strike = { ...fault, held: 0, atMs: now() }
    if (fault.kind === 'kill') {
      strike.held = await untilBusy(pipeline, target, feed, stop)
      strike.atMs = now()
      await pipeline.kill(target)
      falls(target)
      last(pipeline.start(target).then(() => rises(target)))
    } else if (fault.kind === 'restart') {
      last(restartRedis())
    } else if (fault.kind === 'clock') {
      pipeline.setClock(target, ms)
    } else if (fault.kind === 'cut') {
      link?.cut()
    } else {
      last(hold(fault.kind === 'delay' ? 'slow' : 'silent'))
    }
    struck.push(strike)
    onProgress?.(load.sent, fault)

    async function restartRedis() {
      const { redis } = pipeline
      redis.server?.process.kill('SIGKILL')
      await redis.server?.exited
      falls('redis')
      await redis.restart()
      rises('redis')
    }
    function last(what: Promise<unknown>) {
      what.catch((error) => failed.abort(error))
      lasting.set(target, what)
    }
    async function hold(what: 'slow' | 'silent') {
      using _span = open(target, what)
      if (!link) return
      if (what === 'slow') link.delayMs = (fault.addedMs ?? 0) / 2
      else link.block()
      await delay(ms, undefined, { signal: stop }).finally(() => {
        link.delayMs = 0
        link.heal()
      })
    }
  }
  stopAt(Number.POSITIVE_INFINITY)
  await Promise.all([sending, ...lasting.values()])
  const { history, unfinished } = await ended(pipeline, orders, stop)
  const ms = now()
  for (const who of up.keys()) falls(who)

  const stockAfter = await pipeline.store.stock()
  const violations = check({ history, accepted, stockBefore: stock, stockAfter, unfinished })
  const endedMs = new Map<string, number>()
  const touchedMs = new Map<string, number>()
  for (const { effect, answer, storeMs } of history) {
    touchedMs.set(effect.order, storeMs - beginStoreMs)
    if (effect.do !== 'advance' || answer !== 'advanced' || !isFinal(effect.state)) continue
    endedMs.set(effect.order, storeMs - beginStoreMs)
  }
  const known = new Set(history.map(({ effect }) => JSON.stringify(effect)))
  const brokenMs = violations.flatMap(({ order = '' }) => touchedMs.get(order) ?? [])
  return { faults: struck, violations, spans, endedMs, brokenMs, repeated: history.length - known.size, ms }
}

async function storeTime({ store }: Pipeline): Promise<number> {
  const [seconds = 0, microseconds = 0] = await store.redis.time()
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000
}

/** Waits until a worker has begun at least three orders and not ended them; returns how many, fewer when it never has. */
async function untilBusy(
  { store, processes }: Pipeline,
  worker: string,
  feed: () => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const deadline = performance.now() + busyDeadlineMs
  const middle = new Set<string>()
  let from = await store.historyLength()
  for (;;) {
    const news = await store.history(from)
    from += news.length
    for (const { by, effect } of news) {
      if (by !== worker) continue
      if (effect.do === 'advance') middle.delete(effect.order)
      else middle.add(effect.order)
    }
    if (processes.has(worker) && (middle.size >= 3 || performance.now() > deadline)) return middle.size
    if (news.length === 0) await feed()
    await delay(1, undefined, { signal })
  }
}

/** Waits until all orders have ended, or never will; returns the history, and whether some are tried again for ever. */
async function ended(pipeline: Pipeline, orders: readonly Order[], signal: AbortSignal) {
  const giveUp = new AbortController()
  const endless = orders.filter(({ card }) => card === 'refused').length
  const watch = (async () => {
    // Those that are tried again for ever would keep it from ever being quiet.
    for (;;) {
      await delay(500, undefined, { signal: giveUp.signal })
      const history = await pipeline.store.history()
      const found = check({ history, accepted: [], stockBefore: {}, stockAfter: {} })
      const isEndless = found.some(({ invariant }) => invariant === 'retries bounded')
      if (isEndless && (await pipeline.pending()) <= endless) return true
    }
  })()
  const options = { timeoutMs: patienceMs, signal: AbortSignal.any([signal, giveUp.signal]) }
  // What is not done by then is what the invariants speak of.
  const quiet = pipeline.drained(options).catch(() => signal.throwIfAborted())
  const unfinished = await Promise.race([quiet.then(() => false), watch]).finally(() => giveUp.abort())
  await Promise.allSettled([quiet, watch])
  signal.throwIfAborted()
  return { history: await pipeline.store.history(), unfinished }
}

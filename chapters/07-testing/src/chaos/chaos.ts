/** The pipeline under load, for faults to strike, and what can be observed once all is quiet again. */
import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { StateRecord } from '@repo/common/servers/faults'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Observed, triedTooOften } from '../pipeline/invariants.ts'
import { ordersOf, placeOrders, stockFor } from '../pipeline/load.ts'
import type { Entry } from '../pipeline/memory-store.ts'
import { type Bug, isFinal, type Order, stages } from '../pipeline/orders.ts'
import { type Pipeline, startPipeline } from '../pipeline/pipeline.ts'
import type { Fault, FaultSettings } from './faults.ts'
import { type Gate, type State, strikes } from './strikes.ts'

export interface ChaosSettings extends FaultSettings {
  /** Orders per second. */
  rate: number
  bug?: Bug | undefined
  /** The front's port; a free one by default. */
  port?: number
}

/** A fault as it happened. */
export interface Struck extends Fault {
  atMs: number
  /** For `kill`: the number of orders that the worker had in progress. */
  held: number
}

/** What a run leaves behind: what the invariants are checked against, and what the picture shows. */
export interface Outcome extends Observed {
  /** When each order ended, and when it was last touched, by order id; in ms since the run began. */
  endedMs: Map<string, number>
  touchedMs: Map<string, number>
  /** The number of steps that were redone after a fault. */
  repeated: number
  /** Which processes were up, and whose line was slow or silent. */
  rows: ReturnType<StateRecord<State>['rows']>
  ms: number
}

export interface Chaos extends AsyncDisposable {
  /** Waits until the fault's order has been sent, then causes the fault. Strike in the order of `atOrder`. */
  strike: (fault: Fault) => Promise<Struck>
  /** Sends the remaining orders and waits until all have ended, or clearly never will. */
  settle: () => Promise<Outcome>
}

export interface ChaosOptions {
  signal: AbortSignal
  /** Called with the number of orders that have been sent. */
  onSent?: (sent: number) => void
}

/** How long orders may take to end after all faults are over. */
const patienceMs = 180_000

/**
 * Starts the pipeline on its own Redis, with a proxy between each process and Redis, and sends orders up to the first
 * fault. Disposing of it stops everything.
 *
 * @throws a one-line Error when there is no Redis, when the port is in use, or when a process ends that no fault has
 *   struck
 */
export async function startChaos(settings: ChaosSettings, { signal, onSent }: ChaosOptions): Promise<Chaos> {
  const orders = ordersOf(settings.seed, settings.orders)
  const stock = stockFor(orders)
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  await using stack = new AsyncDisposableStack()
  const pipeline = stack.use(
    await startPipeline({
      stock,
      workers: settings.workers,
      lockMs: settings.lockMs,
      bug: settings.bug,
      signal,
      onFailure: (error) => failed.abort(error),
      proxied: true,
      durable: true,
      ...(settings.port !== undefined && { port: settings.port }),
    }),
  )
  const beginStoreMs = await storeTime(pipeline)
  const record = new StateRecord<State>()
  for (const who of [...pipeline.processes.keys(), 'redis']) record.begin(who, 'up')

  // The load stops at the next fault's order until that fault has struck: a worker that is to be killed must have work.
  const gate = new LoadGate(orders.length)
  const accepted = new Set<string>()
  const sending = placeOrders({
    url: pipeline.url,
    orders,
    rate: settings.rate,
    signal: stop,
    onSend: async (at) => {
      await gate.pass(at, stop)
      onSent?.(gate.sent)
    },
    onAccepted: ({ id }) => accepted.add(id),
  })
  sending.catch((error) => failed.abort(error))

  /** What a target has to get over before it can be struck again. */
  const lasting = new Map<string, Promise<unknown>>()
  let recovering = 0
  // Also after a failure: otherwise nothing would stop a Redis that is still restarting.
  stack.defer(async () => {
    failed.abort()
    await Promise.allSettled([sending, ...lasting.values()])
  })
  const field = {
    pipeline,
    gate,
    record,
    accepted: () => accepted.size,
    isRecovering: () => recovering > 0,
    signal: stop,
  }
  const owned = stack.move()
  return {
    async strike(fault) {
      gate.openTo(fault.atOrder)
      await gate.reached(fault.atOrder, stop)
      await lasting.get(fault.target)
      const { held = 0, over } = await strikes[fault.kind](field, fault)
      if (over) {
        recovering++
        over.then(
          () => recovering--,
          (error) => failed.abort(error),
        )
        lasting.set(fault.target, over)
      }
      return { ...fault, held, atMs: record.now() }
    },
    async settle() {
      gate.openTo(orders.length)
      // An order that is never accepted must not keep the verdict waiting for ever.
      await Promise.race([Promise.all([sending, ...lasting.values()]), stalled(() => accepted.size, stop)])
      const unfinished = await ended(pipeline, orders, stop)
      const openJobs = await openJobsOf(pipeline)
      const books = await pipeline.store.books()
      const ms = record.now()
      record.endAll()
      const endedMs = new Map<string, number>()
      const touchedMs = new Map<string, number>()
      for (const { effect, answer, storeMs } of books.history) {
        touchedMs.set(effect.order, storeMs - beginStoreMs)
        if (effect.do !== 'advance' || answer !== 'advanced' || !isFinal(effect.state)) continue
        endedMs.set(effect.order, storeMs - beginStoreMs)
      }
      const observed = { ...books, orders, accepted, stockBefore: stock, unfinished, openJobs }
      return { ...observed, endedMs, touchedMs, repeated: repeatedSteps(books.history), rows: record.rows(), ms }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Holds the load back: orders pass up to a limit, and a fault waits until its order has passed. */
class LoadGate implements Gate {
  readonly #changes = new EventEmitter()
  readonly orders: number
  sent = 0
  /** The index of the first order that may not pass. */
  #stopsAt = 0

  constructor(orders: number) {
    this.orders = orders
  }

  get open(): number {
    return Math.min(this.#stopsAt + 1, this.orders)
  }

  /** Fulfilled when the order with this index may be sent. */
  async pass(at: number, signal: AbortSignal): Promise<void> {
    while (at > this.#stopsAt) await once(this.#changes, 'opened', { signal })
    this.sent = at + 1
    this.#changes.emit('sent')
  }

  openTo(at: number): void {
    this.#stopsAt = Math.max(this.#stopsAt, at)
    this.#changes.emit('opened')
  }

  /** Fulfilled when the order with this index has been sent. */
  async reached(at: number, signal: AbortSignal): Promise<void> {
    while (this.sent <= at) await once(this.#changes, 'sent', { signal })
  }
}

/** Counts the steps that had already been done before. Retries of a refused card do not count: no fault causes them. */
function repeatedSteps(history: readonly Entry[]): number {
  const steps = history
    .filter(({ effect, answer }) => effect.do !== 'charge' || answer === 'charged')
    .map(({ effect }) => `${effect.do} ${effect.order} ${effect.do === 'advance' ? effect.state : ''}`)
  return steps.length - new Set(steps).size
}

async function storeTime({ store }: Pipeline): Promise<number> {
  const [seconds = 0, microseconds = 0] = await store.redis.time()
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000
}

/** Fulfilled when a number has not changed for as long as orders may take. */
async function stalled(count: () => number, signal: AbortSignal): Promise<void> {
  for (let before = -1; count() > before; ) {
    before = count()
    await delay(patienceMs, undefined, { signal })
  }
}

/** The jobs that are still delivered again and again, although their orders may have ended, and those that were given up. */
export async function openJobsOf({ queues }: Pick<Pipeline, 'queues'>): Promise<string[]> {
  const jobs = await Promise.all(stages.map((stage) => queues[stage].getJobs(['wait', 'active', 'delayed', 'failed'])))
  return jobs.flat().map(({ name, data }) => `the ${name} of ${data.id}`)
}

/** Waits until all orders have ended, or clearly never will; returns whether some are retried for ever. */
async function ended(pipeline: Pipeline, orders: readonly Order[], signal: AbortSignal) {
  const giveUp = new AbortController()
  const endless = orders.filter(({ card }) => card === 'refused').length
  const watch = (async () => {
    // With orders that are retried for ever, it would never be quiet.
    for (;;) {
      await delay(500, undefined, { signal: giveUp.signal })
      const isEndless = triedTooOften(await pipeline.store.history()).size > 0
      if (isEndless && (await pipeline.pending()) <= endless) return true
    }
  })()
  const options = { timeoutMs: patienceMs, signal: AbortSignal.any([signal, giveUp.signal]) }
  // An order that has not ended by then is lost: the invariants report it.
  const quiet = pipeline.drained(options).catch(() => signal.throwIfAborted())
  const unfinished = await Promise.race([quiet.then(() => false), watch]).finally(() => giveUp.abort())
  await Promise.allSettled([quiet, watch])
  signal.throwIfAborted()
  return unfinished
}

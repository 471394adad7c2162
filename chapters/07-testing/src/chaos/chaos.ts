/** The pipeline under load while faults strike it, and the verdict from the recorded history. */
import { setTimeout as delay } from 'node:timers/promises'
import { StateRecord } from '@repo/common/servers/faults'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { check, type Violation } from '../pipeline/invariants.ts'
import { ordersOf, placeOrders, stockFor } from '../pipeline/load.ts'
import type { Entry } from '../pipeline/memory-store.ts'
import { type Bug, isFinal, type Order } from '../pipeline/orders.ts'
import { type Pipeline, startPipeline } from '../pipeline/pipeline.ts'
import { type Fault, type FaultSettings, faultsOf } from './faults.ts'
import { Gate } from './gate.ts'
import { type State, strikes } from './strikes.ts'

export interface ChaosSettings extends FaultSettings {
  /** Orders per second. */
  rate: number
  bug?: Bug | undefined
  /** Of the front. */
  port?: number
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
  /** Who was up, and whose line was slow or silent. */
  rows: ReturnType<StateRecord<State>['rows']>
  /** When each order ended, by its id, in ms since the first one was sent. */
  endedMs: Map<string, number>
  /** When the last thing happened to an order that was broken, in ms since the first one was sent. */
  brokenMs: number[]
  /** How many steps were done again after a fault. */
  repeated: number
  ms: number
}

export interface ChaosOptions {
  signal: AbortSignal
  /** Called with how many orders have been sent, and with a fault when it has struck. */
  onProgress?: (sent: number, struck?: Fault) => void
}

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
    stock,
    workers: settings.workers,
    lockMs: settings.lockMs,
    bug: settings.bug,
    signal,
    onFailure: (error) => failed.abort(error),
    proxied: true,
    durable: true,
    ...(settings.port !== undefined && { port: settings.port }),
  })
  const beginStoreMs = await storeTime(pipeline)
  const record = new StateRecord<State>()
  for (const who of [...pipeline.processes.keys(), 'redis']) record.begin(who, 'up')

  // The load stops at the next fault's order until that has struck; a worker that is to be killed must find work.
  const gate = new Gate(orders.length)
  const accepted: Order[] = []
  const sending = placeOrders({
    url: pipeline.url,
    orders,
    rate: settings.rate,
    signal: stop,
    onSend: async (at) => {
      await gate.pass(at, stop)
      onProgress?.(gate.sent)
    },
    onAccepted: (order) => accepted.push(order),
  })
  sending.catch((error) => failed.abort(error))

  const struck: Struck[] = []
  /** What a target has to get over before it can be struck again. */
  const lasting = new Map<string, Promise<unknown>>()
  await using stack = new AsyncDisposableStack()
  // When something has failed, too: a Redis that is still being started again would be nobody's.
  stack.defer(async () => {
    failed.abort()
    await Promise.allSettled([sending, ...lasting.values()])
  })
  const field = { pipeline, gate, record, accepted: () => accepted.length, signal: stop }
  for (const fault of faultsOf(settings)) {
    gate.openTo(fault.atOrder)
    await gate.reached(fault.atOrder, stop)
    await lasting.get(fault.target)
    const { held = 0, over } = await strikes[fault.kind](field, fault)
    over?.catch((error) => failed.abort(error))
    if (over) lasting.set(fault.target, over)
    struck.push({ ...fault, held, atMs: record.now() })
    onProgress?.(gate.sent, fault)
  }
  gate.openTo(orders.length)
  await Promise.all([sending, ...lasting.values()])
  const unfinished = await ended(pipeline, orders, stop)
  const { history, stock: stockAfter } = await pipeline.store.snapshot()
  const ms = record.now()
  record.endAll()

  const violations = check({ history, accepted, stockBefore: stock, stockAfter, unfinished })
  const endedMs = new Map<string, number>()
  const touchedMs = new Map<string, number>()
  for (const { effect, answer, storeMs } of history) {
    touchedMs.set(effect.order, storeMs - beginStoreMs)
    if (effect.do !== 'advance' || answer !== 'advanced' || !isFinal(effect.state)) continue
    endedMs.set(effect.order, storeMs - beginStoreMs)
  }
  const brokenMs = violations.flatMap(({ order = '' }) => touchedMs.get(order) ?? [])
  const rows = record.rows()
  return { faults: struck, violations, rows, endedMs, brokenMs, repeated: repeatedSteps(history), ms }
}

/** How many steps had been done already. That a refused card is tried again is no fault's doing, and not counted. */
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

/** Waits until all orders have ended, or never will; returns whether some are tried again for ever. */
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
  return unfinished
}

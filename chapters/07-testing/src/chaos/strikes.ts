/** How each kind of fault strikes the running pipeline. */
import { setTimeout as delay } from 'node:timers/promises'
import type { StateRecord } from '@repo/common/servers/faults'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { Fault, FaultKind } from './faults.ts'

/** A process is up; its line to Redis is slow or silent. */
export type State = 'up' | 'line slow' | 'line silent'

/** Lets orders through: `open` out of all `orders` so far, sent or not. */
export interface Gate {
  readonly orders: number
  readonly open: number
  /** Lets orders pass up to this index. It never closes again. */
  openTo: (at: number) => void
}

/** What a fault strikes, and what it needs for that. */
export interface Field {
  pipeline: Pipeline
  gate: Gate
  record: StateRecord<State>
  /** Returns the number of orders that the front has accepted. */
  accepted: () => number
  signal: AbortSignal
}

interface Blow {
  /** For `kill`: the number of orders that the target had in progress. */
  held?: number
  /** Fulfilled when the target has recovered: it runs again, or has a good line again. */
  over?: Promise<unknown>
}

/** With this many orders under way, every worker should have some. */
const fewOrders = 24
/** The number of orders that a worker should have in progress when it is killed. */
const fewInTheMiddle = 3
/**
 * When the target has not had enough work for this long, the orders under way belong to others: a bug may keep them
 * there for ever.
 */
const dryMs = 1_000
/** How long a kill waits when there are no more orders to let through. */
const patienceMs = 10_000

export const strikes: Record<FaultKind, (field: Field, fault: Fault) => Blow | Promise<Blow>> = {
  kill,
  restart: (field) => ({ over: restartRedis(field) }),
  cut: ({ pipeline }, { target }) => {
    pipeline.links.get(target)?.cut()
    return {}
  },
  delay: (field, fault) => ({ over: slow(field, fault) }),
  'half-open': (field, fault) => ({ over: silence(field, fault) }),
  clock: ({ pipeline }, { target, ms }) => {
    pipeline.setClock(target, ms)
    return {}
  },
}

/** Kills a worker while it works on orders. If it has just finished them all, it is killed again. */
async function kill(field: Field, { target }: Fault): Promise<Blow> {
  const { pipeline, record } = field
  for (;;) {
    const { middle, isFound } = await untilBusy(field, target)
    await pipeline.kill(target)
    record.end(target, 'up')
    const held = await middle()
    const over = pipeline.start(target).then(() => record.begin(target, 'up'))
    if (held > 0 || !isFound) return { held, over }
    await over
  }
}

/**
 * Waits until a worker has enough to do, and lets more orders through meanwhile; `isFound` is false if it never has.
 */
async function untilBusy({ pipeline, gate, accepted, signal }: Field, worker: string) {
  const middle = await middleOf(pipeline, worker)
  let fedAt = performance.now()
  for (;;) {
    // Soon there are no more to wait for.
    const enough = gate.open + fewOrders > gate.orders ? 1 : fewInTheMiddle
    if ((await middle()) >= enough) return { middle, isFound: true }
    const waitedMs = performance.now() - fedAt
    const underWay = gate.open - accepted() + (await pipeline.pending())
    if (gate.open === gate.orders) {
      if (waitedMs > patienceMs) return { middle, isFound: false }
    } else if (underWay < fewOrders || waitedMs > dryMs) {
      gate.openTo(gate.open + fewOrders / 3)
      fedAt = performance.now()
    }
    await delay(1, undefined, { signal })
  }
}

/** Returns a function that counts the orders a worker has in progress, by the history from now on. */
async function middleOf({ store }: Pipeline, worker: string): Promise<() => Promise<number>> {
  const orders = new Set<string>()
  let next = await store.historyLength()
  return async () => {
    const news = await store.history(next)
    next += news.length
    for (const { by, effect, answer } of news) {
      if (by !== worker) continue
      // An order whose card the bank does not accept waits in the queue; no worker has it.
      if (effect.do === 'advance' || answer === 'unavailable') orders.delete(effect.order)
      else orders.add(effect.order)
    }
    return orders.size
  }
}

async function restartRedis({ pipeline: { redis }, record }: Field) {
  redis.server?.process.kill('SIGKILL')
  await redis.server?.exited
  record.end('redis', 'up')
  await redis.restart()
  record.begin('redis', 'up')
}

async function slow({ pipeline, record, signal }: Field, { target, ms, addedMs = 0 }: Fault) {
  using _state = record.begin(target, 'line slow')
  const link = pipeline.links.get(target)
  if (!link) return
  link.delayMs = addedMs / 2
  await delay(ms, undefined, { signal }).finally(() => {
    link.delayMs = 0
  })
}

async function silence({ pipeline, record, signal }: Field, { target, ms }: Fault) {
  using _state = record.begin(target, 'line silent')
  const link = pipeline.links.get(target)
  if (!link) return
  link.block()
  await delay(ms, undefined, { signal }).finally(() => link.heal())
}

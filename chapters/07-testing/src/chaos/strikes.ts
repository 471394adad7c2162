/** How each kind of fault strikes the running pipeline. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { StateRecord } from '@repo/common/servers/faults'
import type { Entry } from '../pipeline/memory-store.ts'
import type { Answer } from '../pipeline/orders.ts'
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
  /** Whether a process, a line or Redis has not yet recovered from an earlier fault. */
  isRecovering: () => boolean
  signal: AbortSignal
}

interface Blow {
  /** For `kill`: the number of orders that the target had in progress. */
  held?: number
  /** Fulfilled when the target has recovered: it runs again, or has a good line again. */
  over?: Promise<unknown>
}

/** With this many orders under way, every worker should have some. */
const fewOrders = 12
/**
 * When the target has not had enough work for this long although nothing is recovering from a fault, the orders under
 * way belong to others: a bug may keep them there for ever.
 */
const dryMs = 1_000
/** How long a fault waits for its target's work when there are no more orders to let through. */
const patienceMs = 30_000
/** After this long, what a stopped process has sent has arrived. */
const arrivedMs = 20
/**
 * How long a worker runs between two looks: less than the bank and the packers take for an order, twice as long each time up
 * to the longest. On a busy machine it might get no core in the shortest, time after time.
 */
const sliceMs = 2
const longestSliceMs = 16
/** The time that a process has read from its clock reaches the store within this time, even on a busy machine. */
const underWayMs = 5_000

export const strikes: Record<FaultKind, (field: Field, fault: Fault) => Blow | Promise<Blow>> = {
  kill,
  restart: (field) => ({ over: restartRedis(field) }),
  cut: ({ pipeline }, { target }) => {
    pipeline.links.get(target)?.cut()
    return {}
  },
  delay: (field, fault) => ({ over: slow(field, fault) }),
  'half-open': (field, fault) => ({ over: silence(field, fault) }),
  clock: setWrong,
}

/**
 * Kills a worker while it works on orders. Between a look and the blow it could finish them all, and on a slow machine
 * it would, again and again, until no orders are left. So it is stopped, looked at, and runs on for a moment only.
 */
async function kill(field: Field, { target }: Fault): Promise<Blow> {
  const { pipeline, record, signal } = field
  const process = pipeline.processes.get(target)?.process
  const middle = await middleOf(pipeline, target)
  // #region kill
  const isBusyWhenStopped = async () => {
    let isBusy = false
    process?.kill('SIGSTOP')
    try {
      await delay(arrivedMs, undefined, { signal })
      // The proxy runs in this process: it had a turn for what has arrived, even if that took longer on a busy machine.
      await nextTurn()
      isBusy = (await middle()) > 0
    } finally {
      if (!isBusy) process?.kill('SIGCONT')
    }
    return isBusy
  }
  await fedUntil(field, isBusyWhenStopped)
  await pipeline.kill(target)
  // #endregion kill
  record.end(target, 'up')
  const held = await middle()
  return { held, over: pipeline.start(target).then(() => record.begin(target, 'up')) }
}

/** Sets a clock wrong, and waits until the process has used it: otherwise the fault would change nothing. */
async function setWrong(field: Field, { target, ms }: Fault): Promise<Blow> {
  const { pipeline } = field
  const news = await newsOf(pipeline)
  pipeline.setClock(target, ms)
  await fedUntil(field, async () =>
    (await news()).some(
      ({ by, effect, atMs, storeMs }) =>
        by === target && ['create', 'advance'].includes(effect.do) && Math.abs(atMs - storeMs - ms) < underWayMs,
    ),
  )
  return {}
}

/** Waits until a condition holds, or clearly never will, and lets more orders through meanwhile. */
async function fedUntil({ pipeline, gate, accepted, isRecovering, signal }: Field, isMet: () => Promise<boolean>) {
  let fedAt = performance.now()
  for (let pauseMs = sliceMs; ; pauseMs = Math.min(2 * pauseMs, longestSliceMs)) {
    if (await isMet()) return
    // Until it has recovered, it is no wonder that nothing moves.
    if (isRecovering()) fedAt = performance.now()
    const waitedMs = performance.now() - fedAt
    const underWay = gate.open - accepted() + (await pipeline.pending())
    if (gate.open === gate.orders) {
      if (waitedMs > patienceMs) return
    } else if (underWay < fewOrders || waitedMs > dryMs) {
      gate.openTo(gate.open + fewOrders / 3)
      fedAt = performance.now()
    }
    await delay(pauseMs, undefined, { signal })
  }
}

/** Returns a function that returns what has been added to the history since its last call. */
async function newsOf({ store }: Pipeline): Promise<() => Promise<Entry[]>> {
  let next = await store.historyLength()
  return async () => {
    const news = await store.history(next)
    next += news.length
    return news
  }
}

/** Returns a function that counts the orders a worker has in progress, by the history from now on. */
async function middleOf(pipeline: Pipeline, worker: string): Promise<() => Promise<number>> {
  const orders = new Set<string>()
  const news = await newsOf(pipeline)
  return async () => {
    for (const { by, effect, answer } of await news()) {
      // Another worker may have finished what this one still has.
      if (effect.do === 'advance' ? by === worker || answer === 'advanced' : by === worker && isRefused(answer))
        orders.delete(effect.order)
      else if (by === worker) orders.add(effect.order)
    }
    return orders.size
  }
}

/** An order whose card the bank does not accept waits in the queue, or is about to fail: nothing has been done for it. */
const isRefused = (answer: Answer) => answer === 'unavailable' || answer === 'given up'

async function restartRedis({ pipeline: { redis }, record }: Field) {
  await redis.server?.kill()
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

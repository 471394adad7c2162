/**
 * The drill of chapter 4 on any engine: jobs book amounts in a ledger of its own, and while they run something is broken. At
 * the end it counts what became of the jobs.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { after } from '@repo/common/async/timer'
import { countBookings, ledgerKeys } from '04-celery/drill/ledger'
import type { Redis } from 'ioredis'
import { reasonOf } from '../harness/turns.ts'
import { keyOf, type OpenEngine, signal, workOptions } from './open-engine.ts'

/** What is broken, and how often in one drill. A worker's host is cut off silently, as by a pulled cable. */
export const faultKinds = {
  'worker killed': 2,
  'broker killed': 2,
  partition: 1,
  // Last: an engine of one machine does not get its jobs back.
  'machine lost': 1,
} as const
export type FaultKind = keyof typeof faultKinds

export interface DrillResult {
  /** Jobs that were sent: more than were asked for if a worker was not caught in the middle of those. */
  jobs: number
  /** Jobs whose effect did not happen, and of which the engine knows nothing any more. */
  lost: number
  /** Jobs whose effect did not happen within the drill's patience, but which the engine still has. */
  held: number
  /** Jobs whose effect happened more than once, in spite of its key. */
  doubled: number
  /** Jobs that were begun more than once: without the key, their effects could be doubled. */
  begunTwice: number
  /**
   * For each fault, in ms: until others had done the jobs of a worker that was killed, or had begun those of one that was cut
   * off; for a broker, until a job was done that was sent afterwards. Null if that did not happen.
   */
  recoveryMs: (number | null)[]
}

export interface DrillOptions {
  jobs: number
  strikes: number
  /** When nothing was heard of any job for this time, the drill ends, although the engine still has some. */
  patienceMs: number
  ledger: Redis
  onProgress: (done: number) => void
}

const batch = 50
/** Jobs sent ahead of those that are done. */
const sentAhead = 100
/** Until a worker is caught in the middle of jobs, more are sent, but at most so many times as many as were asked for. */
const mostTimes = 20
/** If the engine says that it has no jobs, and nothing was heard of any for this time, there are none. */
const silenceMs = 4 * workOptions.leaseMs
const lookEveryMs = 500
/** A worker stays cut off until others have begun its jobs, but not longer than this. */
const longestPartitionMs = 5 * silenceMs

export async function drill(engine: OpenEngine, kind: FaultKind, options: DrillOptions): Promise<DrillResult> {
  const { jobs, strikes, patienceMs, ledger: redis, onProgress } = options
  const ledger = `drill-${randomUUID()}`
  const key = (job: number) => keyOf({ ledger, job })
  const keys = () => Array.from({ length: sent }, (_, job) => key(job))
  const done = () => engine.doneIn.get(ledger) ?? 0
  let [sent, given, wanted, isSending, isLost, isStruck, isOver] = [0, 0, jobs, false, false, false, false]
  const untilDone = (count: number) => engine.until(() => isOver || done() >= count)

  async function sendAll() {
    for (;;) {
      await engine.until(() => isOver || (sent < wanted ? sent - done() - given < sentAhead : isStruck))
      if (isOver || sent >= wanted) return
      const some = Array.from({ length: Math.min(batch, wanted - sent) }, (_, at) => ({ ledger, job: sent + at }))
      isSending = true
      await engine.persist(() => engine.client.send(some))
      isSending = false
      sent += some.length
      engine.heardAt = performance.now()
      engine.look()
    }
  }

  /** Ends the drill when nothing more will come. */
  async function watch(stop: AbortSignal) {
    for (;;) {
      await delay(lookEveryMs, undefined, { signal: stop })
      onProgress(done())
      const silentMs = () => performance.now() - engine.heardAt
      if (silentMs() < silenceMs) continue
      const isIdle = engine.running.size === 0 && (await engine.persist(() => engine.client.left())) === 0
      // The first answer after a long silence may be that to a batch that waits for the broker as well. A new machine has no
      // jobs, but the sender is still to learn that it need not wait for those of the lost one.
      if (isSending || isLost || silentMs() < (isIdle ? silenceMs : patienceMs)) continue
      isOver = true
      engine.look()
      return
    }
  }

  /** Waits until others have begun what a worker that is cut off was doing, as far as they do within the limit. */
  async function untilBegunAgain(keys: readonly string[]): Promise<boolean> {
    const late = new AbortController()
    using _timer = after(longestPartitionMs, () => late.abort())
    const before = keys.map((each) => engine.begun.get(each) ?? 0)
    const isAgain = () => keys.every((each, at) => (engine.begun.get(each) ?? 0) > (before[at] ?? 0))
    await engine
      .until(() => isOver || isAgain(), late.signal)
      .catch((error) => {
        if (!late.signal.aborted) throw error
      })
    return isAgain()
  }

  const momentsOf = (keys: readonly string[]) => keys.flatMap((each) => engine.doneAt.get(each) ?? [])
  const recoveryMs: (() => number | null)[] = []
  async function strike(number: number) {
    if (kind === 'broker killed' || kind === 'machine lost') {
      // The batch that is under way may already be there.
      const [at, from] = [performance.now(), sent + batch]
      recoveryMs.push(() => {
        const moments = momentsOf(keys().slice(from))
        return moments.length > 0 ? Math.min(...moments) - at : null
      })
      if (kind === 'broker killed') return await engine.broker.crash()
      isLost = true
      await engine.broker.loseMachine()
      await engine.prepareAgain()
      // What is lost must not keep the sender waiting.
      given = sent - done()
      engine.heardAt = performance.now()
      isLost = false
      return engine.look()
    }
    // Only worker 1 can be cut off.
    const worker = engine.workers[kind === 'partition' ? 0 : number % engine.workers.length]
    if (!worker) return
    // On a busy machine, a fast engine may have done them all before one of its workers has stopped.
    wanted = mostTimes * jobs
    engine.look()
    const { held, pids } = await engine.stopInTheMiddle(worker, () => isOver || done() >= wanted)
    wanted = Math.max(jobs, sent)
    const at = performance.now()
    if (held.length === 0) signal('SIGCONT', pids)
    else if (kind === 'worker killed') {
      await engine.kill(worker, pids)
      recoveryMs.push(() => (momentsOf(held).length === held.length ? Math.max(...momentsOf(held)) - at : null))
      worker.start()
    } else {
      for (const link of engine.links) link.block()
      signal('SIGCONT', pids)
      const isAgain = await untilBegunAgain(held)
      const ms = performance.now() - at
      recoveryMs.push(() => (isAgain ? ms : null))
      for (const link of engine.links) link.heal()
    }
  }

  engine.heardAt = performance.now()
  const watching = new AbortController()
  const watched = watch(watching.signal)
  const sending = sendAll()
  // Whatever fails first ends the drill.
  const failed = Promise.withResolvers<never>()
  for (const each of [sending, watched]) each.catch((error) => watching.signal.aborted || failed.reject(error))
  async function run() {
    for (let number = 0; number < strikes; number++) {
      await untilDone(Math.floor(jobs * (0.15 + (0.7 * number) / strikes)))
      if (isOver) break
      await strike(number)
    }
    isStruck = true
    engine.look()
    await sending
    await untilDone(sent)
  }
  try {
    await Promise.race([run(), failed.promise])
  } finally {
    watching.abort()
    for (const link of engine.links) link.heal()
  }

  if (sent < jobs) throw new Error(`only ${sent} of ${jobs} jobs could be sent: ${reasonOf(engine.lastError)}`)

  const { effectsLost, doubled } = await countBookings(redis, ledgerKeys(ledger), sent)
  const left = effectsLost === 0 ? 0 : await engine.persist(() => engine.client.left())
  const held = Math.min(left, effectsLost)
  return {
    jobs: sent,
    lost: effectsLost - held,
    held,
    doubled,
    begunTwice: keys().filter((each) => (engine.begun.get(each) ?? 0) > 1).length,
    recoveryMs: recoveryMs.map((ms) => ms()),
  }
}

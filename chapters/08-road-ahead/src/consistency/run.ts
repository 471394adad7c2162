/** One workload for every system: clients that read, write, and compare and set, while faults strike its nodes. */
import { randomFor, randomFrom } from '@repo/common/async/random'
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { StateRecord } from '@repo/common/servers/faults'
import type { Action, Operation } from '../linear/history.ts'
import { clientOf, type System, type Trouble } from '../systems/system.ts'
import { type Fault, strike } from './faults.ts'

export interface RunOptions {
  clients: number
  /** The number of registers that all clients share. */
  keys: number
  /** Of the clients' requests. */
  seed: number
  faults: readonly Fault[]
  /** How long a client waits for an answer; a second by default. */
  patienceMs?: number
  signal?: AbortSignal | undefined
  onFault?: (done: number) => void
}

export type Recorded = Awaited<ReturnType<typeof record>>

/** A client rests this long between two requests, on average. */
const restMs = 8
/** After the last fault, the system may take this long until it answers a read again. */
const recoveryMs = 30_000

/**
 * Runs the workload and returns its history. Every third client only reads: it stays where it gets answers. Some writes go to
 * keys that are written once only. At the end, when all nodes are up and connected again, every key is read: such a write
 * that was acknowledged must be there.
 *
 * @throws an Error of one line if a node ends by itself, or the system does not recover
 */
export async function record(system: System, { clients, keys, seed, faults, patienceMs, signal, onFault }: RunOptions) {
  const history: Operation[] = []
  const states = new StateRecord<Trouble>()
  const { now } = states
  let isOver = false

  /** Asks, and adds to the history what may have taken place. */
  async function ask(client: ReturnType<typeof clientOf>, name: string, key: string, does: Action) {
    const operation: Operation = { client: name, key, does, beginMs: now() }
    const outcome = await client.ask(key, does)
    if (typeof outcome === 'object') operation.ended = { atMs: now(), ...outcome }
    // A read that got no answer says nothing.
    if (operation.ended || (outcome === 'no answer' && !('read' in does))) history.push(operation)
    return outcome
  }

  async function work(number: number) {
    using client = clientOf(system, number, { patienceMs, signal })
    const random = randomFrom(Math.floor(2 ** 31 * randomFor(seed, number)))
    /** What this client has last seen of each key. */
    const seen = new Map<string, string | null>()
    let lives = 1
    for (let at = 1; !isOver; at++) {
      await sleep(2 * restMs * random(), signal)
      const value = `${number + 1}-${at}`
      const kind = number % 3 < 2 ? random() : 1
      const key = kind < 0.2 ? `once-${value}` : `k${1 + Math.floor(keys * random())}`
      let does: Action = { read: true }
      if (kind < 0.4) does = { write: value }
      else if (kind < 0.65) does = { from: seen.get(key) ?? null, to: value }
      const outcome = await ask(client, `c${number + 1}${lives > 1 ? `.${lives}` : ''}`, key, does)
      // Its last request may still be under way: it goes on as somebody else.
      if (outcome === 'no answer') lives++
      else if (outcome !== 'did not happen') {
        if ('read' in outcome) seen.set(key, outcome.read)
        else if (outcome.isDone) seen.set(key, value)
        else seen.delete(key)
      }
    }
  }

  const working = Array.from({ length: clients }, (_, number) => work(number))
  const worked = Promise.all(working)
  const failed = Promise.race([worked, system.failed?.then((error) => Promise.reject(error)) ?? worked])
  const isAnswered = (sinceMs: number) => history.some(({ beginMs, ended }) => ended && beginMs > sinceMs)
  try {
    for (const [at, fault] of faults.entries()) {
      await Promise.race([strike(system, fault, states, { signal, isAnswered }), failed])
      onFault?.(at + 1)
    }
    await Promise.race([sleep(500, signal), failed])
  } finally {
    isOver = true
    await Promise.allSettled(working)
  }
  await failed

  // Each client takes the next one.
  const unread = new Set(history.map(({ key }) => key)).values()
  await Promise.all(
    Array.from({ length: clients }, async (_, number) => {
      using client = clientOf(system, number, { patienceMs, signal })
      for (const key of unread) {
        const isAnswered = async () => typeof (await ask(client, `last${number + 1}`, key, { read: true })) === 'object'
        await until(isAnswered, { signal, timeoutMs: recoveryMs, everyMs: 50, what: 'a read after the last fault' })
      }
    }),
  )
  history.sort((a, b) => a.beginMs - b.beginMs)
  /** When which node was in trouble, by the history's clock. */
  return { history, troubles: states.rows() }
}

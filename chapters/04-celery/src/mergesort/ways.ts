/** How runs of numbers travel to workers and back: as JSON in messages, or as bytes in Redis beside the messages. */
import { randomUUID } from 'node:crypto'
import { group } from '../canvas/canvas.ts'
import { apply } from '../canvas/plan.ts'
import type { Client } from '../queue/client.ts'
import { signature } from '../queue/task.ts'
import { bytesOf, mergeTwo, type Numbers, numbersIn } from './sort.ts'
import { now, type Span, sortByReference, sortInMessage, type WorkReport } from './tasks.ts'

/** Sends a task for each run; fulfilled with a promise for each sorted run once they are on their way. */
export type Way = (runs: readonly Numbers[], trace: Trace) => Promise<Promise<Numbers>[]>

/** As the book does it: a group of tasks whose arguments and results are the numbers. */
export const inMessages =
  (client: Client, signal?: AbortSignal): Way =>
  async (runs, trace) => {
    const members = runs.map((run) => signature(sortInMessage, { numbers: Array.from(run) }))
    const { roots } = await trace.during('send', apply(client, group(members)))
    return roots.map(async (root) => {
      const { numbers, ...report } = await root.get({ signal })
      trace.add(report)
      return Int32Array.from(numbers)
    })
  }

// #region by-reference
/** Puts the bytes of each run under a key; the task gets the key and leaves the sorted run under it. */
export const byReference =
  (client: Client, store: RunStore, signal?: AbortSignal): Way =>
  async (runs, trace) =>
    runs.map(async (run) => {
      const key = await trace.during('send', store.put(run))
      const task = await client.send(sortByReference, { key, bytes: run.byteLength })
      trace.add(await task.get({ signal }))
      return await trace.during('receive', store.fetch(key))
    })
// #endregion by-reference

/** If the client is killed, the runs it leaves behind expire after an hour. */
const keepSeconds = 3_600

/** Runs of numbers in Redis, each under a key of its own. */
export class RunStore implements AsyncDisposable {
  readonly #redis: Client['redis']
  readonly #prefix: string
  #keys: string[] = []

  constructor({ redis, prefix }: Client) {
    this.#prefix = prefix
    // On the queue's connection everything else would wait. One connection, so that the first worker can begin early.
    this.#redis = redis.duplicate({ enableAutoPipelining: false })
    // Failing commands report it.
    this.#redis.on('error', () => {})
  }

  /** Returns the key. */
  async put(run: Numbers): Promise<string> {
    const key = `${this.#prefix}:bytes:${randomUUID()}`
    this.#keys.push(key)
    await this.#redis.set(key, bytesOf(run), 'EX', keepSeconds)
    return key
  }

  async fetch(key: string): Promise<Numbers> {
    const bytes = await this.#redis.getBuffer(key)
    if (!bytes) throw new Error(`${key} is gone: the sorted run was not fetched in time`)
    return numbersIn(bytes)
  }

  /** Removes all runs. */
  async clear(): Promise<void> {
    const keys = this.#keys
    this.#keys = []
    if (keys.length > 0) await this.#redis.unlink(keys)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear().catch(() => {})
    if (this.#redis.status !== 'end') this.#redis.disconnect()
  }
}

/** What each process did, and when; the client is called `client`. */
export type Lanes = ReadonlyMap<string, readonly Span[]>

/** Records one sorting. */
export class Trace {
  readonly #begin = performance.now()
  readonly #client: Span[] = []
  readonly #lanes = new Map([['client', this.#client]])

  async during<T>(doing: Span['doing'], work: Promise<T>): Promise<T> {
    const begin = now()
    const value = await work
    this.#client.push({ doing, begin, end: now() })
    return value
  }

  add({ worker, spans }: WorkReport): void {
    this.#lanes.set(worker, [...(this.#lanes.get(worker) ?? []), ...spans])
  }

  /** `mergeTwo`, recorded. */
  readonly merge = (left: Numbers, right: Numbers): Numbers => {
    const begin = now()
    const merged = mergeTwo(left, right)
    this.#client.push({ doing: 'merge', begin, end: now() })
    return merged
  }

  /** Returns the milliseconds since the trace was made, and what happened in them. */
  stop(): { ms: number; lanes: Lanes } {
    return { ms: performance.now() - this.#begin, lanes: this.#lanes }
  }
}

/** Milliseconds in which a process did something of these kinds. Overlapping spans count once. */
export function busyMs(spans: readonly Span[], ...kinds: Span['doing'][]): number {
  let busy = 0
  let until = Number.NEGATIVE_INFINITY
  for (const { doing, begin, end } of spans.toSorted((a, b) => a.begin - b.begin)) {
    if (!kinds.includes(doing)) continue
    busy += Math.max(0, end - Math.max(begin, until))
    until = Math.max(until, end)
  }
  return busy
}

/** Milliseconds of computing on the critical path: the busiest worker's sorting and the client's merging. */
export function computingMs(lanes: Lanes): number {
  const sorting = [...lanes.values()].map((spans) => busyMs(spans, 'sort'))
  return Math.max(...sorting) + busyMs(lanes.get('client') ?? [], 'merge')
}

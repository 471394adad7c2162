/**
 * A drill: many jobs, and while they run workers are killed, servers are killed and started again, a host is cut off. At the
 * end it is counted what became of "exactly once".
 *
 * The queue promises at least once: a job whose worker is gone is run again. The ledger makes that once: the booking and the
 * note that it has been made are one step in it, under a key made of the job (idempotency.ts). Neither server answers before
 * what it did is on disk (appendfsync always). That matters most for a ledger of its own: it must not forget what the queue
 * believes to be done. In the queue's own Redis one log holds both, and can at worst lose both.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { StateRecord } from '@repo/common/servers/faults'
import { startProxy, type Proxy as TcpProxy } from '@repo/common/servers/proxy'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Redis } from 'ioredis'
import { type Client, openClient } from '../queue/client.ts'
import { connect } from '../queue/connect.ts'
import { ping } from '../queue/control.ts'
import { keyedTaskId } from '../queue/message.ts'
import type { Outcome } from '../queue/results.ts'
import { signature } from '../queue/task.ts'
import { removeKeys } from '../system.ts'
import { type Fault, type FaultSettings, faultsOf } from './faults.ts'
import { Lane, type State } from './fleet.ts'
import { book, drillQueue, ledgerKeys } from './ledger.ts'

export interface DrillSettings extends FaultSettings {
  /** Jobs that each worker runs at a time. */
  concurrency: number
  /** How long a worker that gives no sign of life keeps its jobs. */
  lockMs: number
}

/** A fault as it went. */
export interface Struck extends Fault {
  /** Since the start. */
  atMs: number
  /** How many jobs were running on what was struck. */
  held: number
  /** Until the last of those was done; 0 when there were none. */
  recoveryMs: number
}

export interface DrillReport {
  /** Jobs that were never completed. */
  jobsLost: number
  /** Jobs whose amount is not in the ledger. */
  effectsLost: number
  /** Jobs whose amount was booked more than once. */
  doubled: number
  /** As `doubled`, for the same write without a key. */
  doubledWithoutKey: number
  /** How often a job was begun again. */
  retries: number
  /** Why jobs were not completed, as far as anybody knows. */
  failures: string[]
  faults: Struck[]
  /** Who was up and who was cut off; of workers and servers. */
  rows: ReturnType<StateRecord<State>['rows']>
  /** When each job was done, in ms since the start. */
  doneMs: number[]
  ms: number
}

export interface DrillOptions {
  signal: AbortSignal
  /** Called with how many jobs are done, and with a fault when it has struck. */
  onProgress?: (done: number, struck?: Fault) => void
}

const batch = 50
/** So many jobs are sent ahead of those that are done, and ahead of the next fault: it must find work that it can disturb. */
const sentAhead = 200
/** When nothing was done for so long the drill ends, and what is missing is lost. */
const patienceMs = 60_000
const amountOf = (job: number) => 1 + (job % 97)
const idOf = (job: number) => keyedTaskId(drillQueue, book.name, String(job))

/**
 * Holds a drill, on servers of its own, or on that of REDIS_URL; that one is not restarted.
 *
 * @throws an Error when a worker ends that was not struck
 */
export async function drill(settings: DrillSettings, { signal, onProgress }: DrillOptions): Promise<DrillReport> {
  await using stack = new AsyncDisposableStack()
  const prefix = `drill-${randomUUID()}`
  const queue = stack.use(await startRedis({ appendOnly: true }))
  const ledger = settings.ledger === 'own' ? stack.use(await startRedis({ appendOnly: true })) : queue
  const proxy = stack.use(await startProxy({ host: queue.host, port: queue.port }))
  const client = stack.use(await openClient({ url: queue.url, prefix }))
  if (!queue.server) stack.defer(() => removeKeys(client))
  const books = await connect(ledger.url)
  stack.defer(() => books.disconnect())
  return await new Drill({ settings, signal, onProgress, prefix, queue, ledger, proxy, client, books }).hold(stack)
}

type Parts = DrillOptions & {
  settings: DrillSettings
  prefix: string
  queue: RedisServer
  ledger: RedisServer
  proxy: TcpProxy
  client: Client
  books: Redis
}

class Drill {
  readonly #parts: Parts
  /** When the workers were ready. */
  #begin = performance.now()
  readonly #now = () => performance.now() - this.#begin
  readonly #history = new StateRecord<State>(this.#now)
  /** When each job was done, or has failed for good. */
  readonly #doneAt = new Map<string, number>()
  readonly #failures: string[] = []
  readonly #changes = new EventEmitter().setMaxListeners(0)
  readonly #failed = new AbortController()
  readonly #stop: AbortSignal
  readonly #struck: (Struck & { ids: string[] })[] = []
  #healed = Promise.resolve()
  /** When the next fault strikes. */
  #nextAt = 0
  #gaveUp = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#stop = AbortSignal.any([parts.signal, this.#failed.signal])
  }

  async hold(stack: AsyncDisposableStack): Promise<DrillReport> {
    const { settings, queue, ledger, books, onProgress } = this.#parts
    const lanes = Array.from({ length: settings.workers }, (_, at) => stack.use(this.#lane(at + 1)))
    await Promise.all(lanes.map((lane) => lane.start()))
    this.#begin = performance.now()
    for (const { name } of lanes) this.#history.begin(name, 'up')
    this.#history.begin('queue', 'up')
    if (ledger !== queue) this.#history.begin('ledger', 'up')

    using _watch = this.#watch()
    const sent = this.#sendAll()
    sent.catch((error) => this.#failed.abort(error))
    for (const fault of faultsOf(settings)) {
      this.#strikeNextAt(fault.atDone)
      await this.#until(() => this.#doneAt.size >= fault.atDone)
      await this.#strike(fault, lanes)
      onProgress?.(this.#doneAt.size, fault)
    }
    this.#strikeNextAt(Number.POSITIVE_INFINITY)
    await this.#until(() => this.#doneAt.size >= settings.jobs)
    await Promise.all([sent, this.#healed])
    const ms = this.#now()
    // What a worker that was cut off still has under way is done now, and could be done a second time.
    await Promise.all(lanes.map((lane) => lane.finish()))
    this.#history.endAll()

    // What counts is what is on disk.
    for (const server of new Set([queue, ledger])) if (server.server) await killAndRestart(server)
    return {
      ...(await this.#count(books)),
      faults: this.#struck.map(({ ids, ...struck }) => ({
        ...struck,
        recoveryMs: Math.max(0, ...ids.map((id) => (this.#doneAt.get(id) ?? ms) - struck.atMs)),
      })),
      failures: this.#failures,
      rows: this.#history.rows(),
      doneMs: [...this.#doneAt.values()],
      ms,
    }
  }

  #strikeNextAt(done: number) {
    this.#nextAt = done
    this.#changes.emit('change')
  }

  #lane(number: number): Lane {
    const { settings, prefix, queue, ledger, proxy } = this.#parts
    const { concurrency, lockMs } = settings
    const url = new URL(queue.url)
    // Worker 1 lives on a host that can be cut off. A ledger of its own stays in its reach.
    if (number === 1) url.host = `${proxy.host}:${proxy.port}`
    return new Lane({
      name: `worker ${number}`,
      history: this.#history,
      signal: this.#stop,
      args: (name) => [prefix, name, String(concurrency), String(lockMs)],
      env: { REDIS_URL: url.href, LEDGER_URL: ledger === queue ? url.href : ledger.url },
      onFailure: (error) => this.#failed.abort(error),
    })
  }

  async #sendAll() {
    const { client, settings } = this.#parts
    for (let from = 0; from < settings.jobs; from += batch) {
      await this.#until(() => from - this.#doneAt.size < sentAhead && from - this.#nextAt < sentAhead)
      const signatures = Array.from({ length: Math.min(batch, settings.jobs - from) }, (_, at) => {
        const job = from + at
        // The same for the same job: work of 1 to 20 ms before the booking and after it.
        const args = { job, amount: amountOf(job), beforeMs: 1 + ((job * 7) % 20), afterMs: 1 + ((job * 13) % 20) }
        return signature(book, args, { idempotencyKey: String(job) })
      })
      // While the queue is away this fails, and perhaps half of it was sent: with a key, sending again is harmless.
      const results = await this.#persist(() => client.sendAll(signatures))
      for (const result of results) {
        const settled = this.#persist(() => result.settled())
        const ended = (outcome: Outcome) => {
          if (!outcome.ok) this.#failures.push(outcome.error.message)
          this.#doneAt.set(result.id, this.#now())
          this.#changes.emit('change')
        }
        settled.then(ended, () => {})
      }
    }
  }

  async #strike(fault: Fault, lanes: Lane[]) {
    const { queue, ledger, proxy } = this.#parts
    const struck = { ...fault, atMs: this.#now(), held: 0, recoveryMs: 0, ids: [] as string[] }
    const lane = lanes.find(({ name }) => name === fault.target)
    if (!lane) {
      struck.ids = await this.#held()
      struck.atMs = this.#now()
      await killAndRestart(fault.target === 'ledger' ? ledger : queue, () => this.#history.end(fault.target, 'up'))
      this.#history.begin(fault.target, 'up')
    } else if (fault.kind === 'kill') {
      await this.#untilBusy(lane)
      struck.atMs = this.#now()
      struck.ids = await this.#held(await lane.kill())
      lane.restart()
    } else {
      // Two at once would be one.
      await this.#healed
      await this.#untilBusy(lane)
      struck.atMs = this.#now()
      if (fault.silent) proxy.block()
      else proxy.refuse()
      this.#history.begin(fault.target, 'cut off')
      struck.ids = await this.#held(lane.workerName)
      this.#healed = this.#heal(fault.target, struck.ids)
      this.#healed.catch(() => {})
    }
    struck.held = struck.ids.length
    this.#struck.push(struck)
  }

  /** One that has just come back has nothing yet that could be lost. */
  async #untilBusy(lane: Lane) {
    const { client, settings } = this.#parts
    await lane.running()
    for (;;) {
      const seen = this.#doneAt.size
      if (seen >= settings.jobs || (await this.#held(lane.workerName)).length > 0) return
      const to = [lane.workerName]
      const answers = await this.#persist(() => ping(client, { to, timeoutMs: 200 }))
      this.#stop.throwIfAborted()
      if (answers.length === 0) continue
      // It is there; meanwhile the others may have done all that had been sent.
      this.#strikeNextAt(seen)
      await this.#until(() => this.#doneAt.size > seen)
    }
  }

  /** When others have done what the worker had: it comes back and believes that it has it still. */
  async #heal(target: string, ids: string[]) {
    await this.#until(() => ids.every((id) => this.#doneAt.has(id)))
    this.#parts.proxy.heal()
    this.#history.end(target, 'cut off')
  }

  /** The ids of the jobs that run, or of those that a worker has. */
  async #held(workerName?: string): Promise<string[]> {
    const jobs = await this.#persist(() => this.#parts.client.queue(drillQueue).getActive())
    const held = jobs.filter((job) => workerName === undefined || job.processedBy === workerName)
    return held.flatMap((job) => job.id ?? [])
  }

  async #until(condition: () => boolean) {
    while (!condition() && !this.#gaveUp) {
      await once(this.#changes, 'change', { signal: this.#stop })
      this.#parts.onProgress?.(this.#doneAt.size)
    }
    this.#stop.throwIfAborted()
  }

  #watch(): Disposable {
    let seen = 0
    let seenAt = this.#now()
    const timer = setInterval(() => {
      if (this.#doneAt.size > seen) seenAt = this.#now()
      seen = this.#doneAt.size
      this.#gaveUp = this.#now() - seenAt > patienceMs
      if (this.#gaveUp) this.#changes.emit('change')
    }, 1_000)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  /** Again until it succeeds: while a server is away everything fails. */
  async #persist<T>(action: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await action()
      } catch (error) {
        if (attempt === 100) throw error
        await delay(100, undefined, { signal: this.#stop })
      }
    }
  }

  async #count(books: Redis) {
    const { client, settings, prefix } = this.#parts
    const jobs = Array.from({ length: settings.jobs }, (_, job) => job)
    let jobsLost = 0
    let begun = 0
    for (let from = 0; from < jobs.length; from += batch) {
      const some = jobs.slice(from, from + batch)
      const pipeline = client.redis.pipeline()
      for (const job of some) pipeline.hmget(`${prefix}:${drillQueue}:${idOf(job)}`, 'returnvalue', 'ats')
      const answers = (await pipeline.exec()) ?? []
      for (const [at, job] of some.entries()) {
        const [error, [returned, times] = []] = (answers[at] ?? []) as [Error | null, (string | null)[]]
        if (error) throw error
        if (Number(returned) !== amountOf(job)) jobsLost++
        begun += Math.max(1, Number(times))
      }
    }
    const keys = ledgerKeys(prefix)
    const [bookings, careless, sum] = await Promise.all([
      books.hgetall(keys.bookings),
      books.hgetall(keys.careless),
      books.get(keys.sum),
    ])
    const booked = jobs.reduce((total, job) => total + amountOf(job) * Number(bookings[job] ?? 0), 0)
    if (booked !== Number(sum)) throw new Error(`the ledger's sum is ${sum}, its bookings are ${booked}`)
    const doubledIn = (hash: Record<string, string>) => Object.values(hash).filter((times) => Number(times) > 1).length
    return {
      jobsLost,
      effectsLost: jobs.filter((job) => !Object.hasOwn(bookings, job)).length,
      doubled: doubledIn(bookings),
      doubledWithoutKey: doubledIn(careless),
      retries: begun - jobs.length,
    }
  }
}

/** SIGKILL, and a new process on what the append-only file holds. */
async function killAndRestart(redis: RedisServer, onKilled?: () => void) {
  redis.server?.process.kill('SIGKILL')
  await redis.server?.exited
  onKilled?.()
  await redis.restart()
}

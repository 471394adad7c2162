/**
 * A drill: many jobs, and while they run workers are killed, servers are killed and restarted, a host is cut off. At
 * the end it counts what became of "exactly once".
 *
 * The queue promises at least once: a job whose worker is gone is run again. The ledger makes that once: the booking
 * and the note that it was made are one step in it, under a key made from the job (worker/idempotency.ts). Neither
 * server answers before what it did is on disk (appendfsync always). That matters most for a ledger of its own, which
 * must not forget what the queue believes to be done. In the queue's own Redis one log holds both, and can at worst
 * lose both.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { startProgram } from '@repo/common/process/child'
import { StateRecord } from '@repo/common/servers/faults'
import { startProxy, type Proxy as TcpProxy } from '@repo/common/servers/proxy'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Redis } from 'ioredis'
import { type Client, openClient } from '../queue/client.ts'
import { connect } from '../queue/connect.ts'
import { ping } from '../queue/control.ts'
import { keyedTaskId } from '../queue/message.ts'
import { signature } from '../queue/task.ts'
import { removeKeys } from '../system.ts'
import type { Fault, FaultSettings } from './faults.ts'
import { book, bookingOf, countBookings, drillQueue, ledgerKeys } from './ledger.ts'
import { type State, Supervisor } from './supervisor.ts'

export interface DrillSettings extends FaultSettings {
  /** Jobs that each worker runs at a time. */
  concurrency: number
  /** How long a worker without a sign of life keeps its jobs. */
  lockMs: number
}

export interface DrillOptions {
  signal: AbortSignal
  /** Called with the number of jobs that are done. */
  onProgress?: (done: number) => void
}

/** A fault that has struck. */
export interface StruckFault extends Fault {
  /** Since the start. */
  atMs: number
  /** How many jobs were running on what was struck. */
  held: number
  /** Until the last of those was done; 0 when there were none. */
  recoveryMs: number
}

const batch = 50
/** Jobs sent ahead of those that are done, and ahead of the next fault: it must find work to disturb. */
const sentAhead = 200
/** When nothing was done for this time, the drill ends, and what is missing is lost. */
const patienceMs = 60_000
const idOf = (job: number) => keyedTaskId(drillQueue, book.name, String(job))

/**
 * Starts the servers, a proxy in front of worker 1's connection to the queue, and the workers. The servers are its own,
 * or that of REDIS_URL, which is not restarted.
 *
 * The methods of the drill throw an Error when a worker ends that was not struck.
 */
export async function startDrill(settings: DrillSettings, options: DrillOptions): Promise<Drill & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const prefix = `drill-${randomUUID()}`
  const queue = stack.use(await startRedis({ appendOnly: true }))
  const ledger = settings.ledger === 'own' ? stack.use(await startRedis({ appendOnly: true })) : queue
  const proxy = stack.use(await startProxy({ host: queue.host, port: queue.port }))
  const client = stack.use(await openClient({ url: queue.url, prefix }))
  if (!queue.server) stack.defer(() => removeKeys(client))
  const books = stack.adopt(await connect(ledger.url), (redis) => redis.disconnect())
  const drill = new Drill({ settings, ...options, prefix, queue, ledger, proxy, client, books })
  for (const worker of drill.workers) stack.use(worker).start()
  await Promise.all(drill.workers.map((worker) => worker.running()))
  stack.use(drill.begin())
  const owned = stack.move()
  return Object.assign(drill, { [Symbol.asyncDispose]: () => owned.disposeAsync() })
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
  readonly workers: Supervisor[]
  /** Why jobs were not completed, as far as anybody knows. */
  readonly failures: string[] = []
  readonly #parts: Parts
  /** When the workers were ready. */
  #begin = performance.now()
  readonly #history = new StateRecord<State>(() => this.ms)
  /** When each job was done, or has failed for good. */
  readonly #doneAt = new Map<string, number>()
  readonly #changes = new EventEmitter().setMaxListeners(0)
  readonly #failed = new AbortController()
  readonly #stop: AbortSignal
  readonly #struck: (StruckFault & { ids: string[] })[] = []
  #healed = Promise.resolve()
  /** How many jobs must be done before the next fault strikes. */
  #nextAt = 0
  #gaveUp = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#stop = AbortSignal.any([parts.signal, this.#failed.signal])
    this.workers = Array.from({ length: parts.settings.workers }, (_, at) => this.#supervisor(at + 1))
  }

  #supervisor(number: number): Supervisor {
    const { settings, prefix, queue, ledger, proxy } = this.#parts
    const { concurrency, lockMs } = settings
    const url = new URL(queue.url)
    // Worker 1 lives on a host that can be cut off. A ledger of its own stays within its reach.
    if (number === 1) url.host = `${proxy.host}:${proxy.port}`
    return new Supervisor({
      name: `worker ${number}`,
      history: this.#history,
      signal: this.#stop,
      launch: (name, options) =>
        startProgram(new URL('./worker.program.ts', import.meta.url), {
          ...options,
          args: [prefix, name, String(concurrency), String(lockMs)],
          env: { REDIS_URL: url.href, LEDGER_URL: ledger === queue ? url.href : ledger.url },
        }),
      onFailure: (error) => this.#failed.abort(error),
    })
  }

  /** Starts the clock. Returns what watches that jobs are done, until it is disposed of. */
  begin(): Disposable {
    const { queue, ledger } = this.#parts
    this.#begin = performance.now()
    for (const { name } of this.workers) this.#history.begin(name, 'up')
    this.#history.begin('queue', 'up')
    if (ledger !== queue) this.#history.begin('ledger', 'up')
    let [seen, seenAt] = [0, 0]
    const timer = setInterval(() => {
      if (this.#doneAt.size > seen) seenAt = this.ms
      seen = this.#doneAt.size
      this.#gaveUp = this.ms - seenAt > patienceMs
      if (this.#gaveUp) this.#changes.emit('change')
    }, 1_000)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  /** Milliseconds since the start. */
  get ms(): number {
    return performance.now() - this.#begin
  }

  /** When each job was done, in ms since the start. */
  get doneMs(): number[] {
    return [...this.#doneAt.values()]
  }

  /** Who was up and who was cut off: rows of a time line. */
  get rows(): ReturnType<StateRecord<State>['rows']> {
    return this.#history.rows()
  }

  /** The faults as they went. A job that was never done counts as recovered now. */
  get struck(): StruckFault[] {
    return this.#struck.map(({ ids, ...fault }) => ({
      ...fault,
      recoveryMs: Math.max(0, ...ids.map((id) => (this.#doneAt.get(id) ?? this.ms) - fault.atMs)),
    }))
  }

  /** Sends all jobs, a little ahead of those that are done. The caller may wait for it later. */
  send(): Promise<void> {
    const sent = this.#sendAll()
    sent.catch((error) => this.#failed.abort(error))
    return sent
  }

  async #sendAll() {
    const { client, settings } = this.#parts
    for (let from = 0; from < settings.jobs; from += batch) {
      await this.#until(() => from - this.#doneAt.size < sentAhead && from - this.#nextAt < sentAhead)
      const signatures = Array.from({ length: Math.min(batch, settings.jobs - from) }, (_, at) => {
        const job = from + at
        return signature(book, bookingOf(job), { idempotencyKey: String(job) })
      })
      // While the queue is away this fails, perhaps with half of it sent. With a key, sending again is harmless.
      const results = await this.#persist(() => client.sendAll(signatures))
      for (const result of results) {
        this.#persist(() => result.settled()).then(
          (outcome) => {
            if (!outcome.ok) this.failures.push(outcome.error.message)
            this.#doneAt.set(result.id, this.ms)
            this.#changes.emit('change')
          },
          () => {},
        )
      }
    }
  }

  /** Waits until this many jobs are done. */
  async untilDone(jobs: number): Promise<void> {
    this.#expectAt(jobs)
    await this.#until(() => this.#doneAt.size >= jobs)
  }

  /** Causes a fault, on a target that has jobs to lose. */
  async strike(fault: Fault): Promise<void> {
    const worker = this.workers.find(({ name }) => name === fault.target)
    const struck = { ...fault, atMs: this.ms, held: 0, recoveryMs: 0, ids: [] as string[] }
    if (!worker) await this.#restart(fault, struck)
    else if (fault.kind === 'kill') await this.#kill(worker, struck)
    else await this.#cutOff(worker, fault, struck)
    struck.held = struck.ids.length
    this.#struck.push(struck)
  }

  async #restart({ target }: Fault, struck: { atMs: number; ids: string[] }) {
    const { queue, ledger } = this.#parts
    struck.ids = await this.#held()
    struck.atMs = this.ms
    await killAndRestart(target === 'ledger' ? ledger : queue, () => this.#history.end(target, 'up'))
    this.#history.begin(target, 'up')
  }

  async #kill(worker: Supervisor, struck: { atMs: number; ids: string[] }) {
    await this.#untilBusy(worker)
    struck.atMs = this.ms
    struck.ids = await this.#held(await worker.kill())
    worker.start()
  }

  async #cutOff(worker: Supervisor, { silent }: Fault, struck: { atMs: number; ids: string[] }) {
    const { proxy } = this.#parts
    // Two at once would be one.
    await this.#healed
    await this.#untilBusy(worker)
    struck.atMs = this.ms
    if (silent) proxy.block()
    else proxy.refuse()
    this.#history.begin(worker.name, 'cut off')
    const ids = await this.#held(worker.workerName)
    struck.ids = ids
    // It comes back when others have done its jobs, and still believes that they are its own.
    const heal = async () => {
      await this.#until(() => ids.every((id) => this.#doneAt.has(id)))
      proxy.heal()
      this.#history.end(worker.name, 'cut off')
    }
    this.#healed = heal()
    this.#healed.catch(() => {})
  }

  /** Waits until a worker has a job: one that has just come back has nothing to lose. */
  async #untilBusy(worker: Supervisor) {
    const { client, settings } = this.#parts
    await worker.running()
    for (;;) {
      const seen = this.#doneAt.size
      const to = [worker.workerName]
      if (seen >= settings.jobs || (await this.#held(worker.workerName)).length > 0) return
      const answers = await this.#persist(() => ping(client, { to, timeoutMs: 200 }))
      this.#stop.throwIfAborted()
      if (answers.length === 0) continue
      // It is there, but the others may meanwhile have done everything that was sent.
      this.#expectAt(seen)
      await this.#until(() => this.#doneAt.size > seen)
    }
  }

  /** The ids of the jobs that run, or of those that a worker has. */
  async #held(workerName?: string): Promise<string[]> {
    const jobs = await this.#persist(() => this.#parts.client.queue(drillQueue).getActive())
    const held = jobs.filter((job) => workerName === undefined || job.processedBy === workerName)
    return held.flatMap((job) => job.id ?? [])
  }

  #expectAt(done: number) {
    this.#nextAt = done
    this.#changes.emit('change')
  }

  async #until(condition: () => boolean) {
    while (!condition() && !this.#gaveUp) {
      await once(this.#changes, 'change', { signal: this.#stop })
      this.#parts.onProgress?.(this.#doneAt.size)
    }
    this.#stop.throwIfAborted()
  }

  /** Tries until it succeeds: while a server is away everything fails. */
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

  /** Ends all workers, and kills and restarts the servers: what counts is what is on disk. */
  async end(): Promise<void> {
    const { queue, ledger } = this.#parts
    await this.#healed
    // What a worker that was cut off still has under way is done now, and could be done a second time.
    await Promise.all(this.workers.map((worker) => worker.finish()))
    this.#history.endAll()
    for (const server of new Set([queue, ledger])) if (server.server) await killAndRestart(server)
  }

  /** Counts what became of the jobs, and of their effects. */
  async count() {
    const { client, settings, prefix, books } = this.#parts
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
        if (Number(returned) !== bookingOf(job).amount) jobsLost++
        begun += Math.max(1, Number(times))
      }
    }
    return {
      /** Jobs that were never completed. */
      jobsLost,
      ...(await countBookings(books, ledgerKeys(prefix), jobs.length)),
      /** How often a job was begun again. */
      retries: begun - jobs.length,
    }
  }
}

/** Sends SIGKILL, and starts a new process on what the append-only file holds. */
async function killAndRestart(redis: RedisServer, onKilled?: () => void) {
  await redis.server?.kill()
  onKilled?.()
  await redis.restart()
}

/** An engine that runs: its broker, a client, and worker processes whose every step is watched. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { type Child, startProgram } from '@repo/common/process/child'
import { StateRecord } from '@repo/common/servers/faults'
import { startProxy, type Proxy as TcpProxy } from '@repo/common/servers/proxy'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type State, Supervisor } from '04-celery/drill/supervisor'
import type { Adapter, EngineClient, Job, WorkerSettings, WorkOptions } from '../adapters/adapter.ts'
import type { Broker } from '../brokers/broker.ts'
import type { Engine } from './engines.ts'
import { diskOf, memoryOf, withDescendants } from './processes.ts'

/** As in chapter 4's drill. */
export const workerCount = 3
export const workOptions: WorkOptions = { concurrency: 8, leaseMs: 2_000 }
/** A worker that always ends by itself is broken. */
const mostEnds = 200
/** No answer of a client may take longer, and no attempt to send; a broker that is away may be back then. */
const answerMs = 5_000
const stopMs = 2_000
const readMs = 100
/** A broker may be away for so long. */
const longestAwayMs = 60_000

export interface OpenOptions {
  /** The Redis where the jobs book. */
  ledgerUrl: string
  signal: AbortSignal
}

/** Starts the broker and a client, but no workers yet. */
export async function openEngine(name: string, engine: Engine, options: OpenOptions) {
  const missing = (await engine.broker.missing()) ?? (await engine.missing?.())
  if (missing !== undefined) throw new Error(missing)
  await using stack = new AsyncDisposableStack()
  const broker = stack.use(await engine.broker.start(options.signal))
  // Worker 1 reaches the broker by links that can be cut.
  const links: TcpProxy[] = []
  for (const { host, port } of broker.reach.endpoints) links.push(stack.use(await startProxy({ host, port })))
  const adapter = await engine.load()
  const queue = `bench-${randomUUID()}`
  await adapter.prepare?.(broker.reach, queue, workOptions)
  const client = stack.adopt(await adapter.open(broker.reach, queue), async (client) => {
    // A client whose broker is gone may wait for it for ever.
    await Promise.race([client.close().catch(() => {}), delay(stopMs, undefined, { ref: false })])
  })
  const open = new OpenEngine({ name, ...options, broker, links, adapter, queue, client })
  stack.use({ [Symbol.asyncDispose]: () => open.stopWorkers() })
  const owned = stack.move()
  return Object.assign(open, { [Symbol.asyncDispose]: () => owned.disposeAsync() })
}

type Parts = OpenOptions & {
  name: string
  broker: Broker
  links: TcpProxy[]
  adapter: Adapter
  queue: string
  client: EngineClient
}

export class OpenEngine {
  readonly broker: Broker
  readonly links: TcpProxy[]
  readonly client: EngineClient
  /** The processes that are running, by the names of the workers. */
  readonly #children = new Map<string, Child>()
  readonly workers: Supervisor[]
  /** Jobs that have begun and are not done: on which worker. A worker that ends has none. */
  readonly running = new Map<string, string>()
  /** How often each job has begun, and when it was done first. Jobs are called by `keyOf`. */
  readonly begun = new Map<string, number>()
  readonly doneAt = new Map<string, number>()
  /** How many jobs of each ledger are done. */
  readonly doneIn = new Map<string, number>()
  /** When a worker was last heard of. */
  heardAt = 0
  readonly #parts: Parts
  readonly #stop: AbortSignal
  readonly #stopping = new AbortController()
  #waiting: { isFulfilled: () => boolean; resolve: () => void }[] = []
  #small = 0
  #smallDone = 0
  #ends = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.broker = parts.broker
    this.links = parts.links
    this.client = parts.client
    this.#stop = AbortSignal.any([parts.signal, this.#stopping.signal])
    this.workers = Array.from({ length: workerCount }, (_, at) => this.#supervisor(at + 1))
  }

  #supervisor(number: number): Supervisor {
    const { name, adapter, broker, links, queue, ledgerUrl } = this.#parts
    const endpoints = number === 1 ? links.map(({ host, port }) => ({ host, port })) : broker.reach.endpoints
    const settings: WorkerSettings = { engine: name, reach: { ...broker.reach, endpoints }, queue, ...workOptions }
    const supervisor = new Supervisor({
      name: `worker ${number}`,
      history: new StateRecord<State>(),
      signal: this.#stop,
      launch: async (workerName, options) => {
        const onLine = (line: string) => {
          options.onLine?.(line)
          this.#hear(workerName, line)
        }
        const child = await (adapter.launch
          ? adapter.launch({ ...settings, ledgerUrl }, { ...options, onLine, stopTimeoutMs: stopMs })
          : startProgram(new URL('./worker.program.ts', import.meta.url), {
              ...options,
              env: { SETTINGS: JSON.stringify(settings), LEDGER_URL: ledgerUrl },
              onLine,
              stopTimeoutMs: stopMs,
            }))
        this.#children.set(workerName, child)
        void child.exited.then(() => this.#forget(workerName))
        return child
      },
      onFailure: (error) => {
        if (this.#stop.aborted) return
        // As under any process manager, it is started again.
        if (/ended by itself/.test(error.message) && ++this.#ends <= mostEnds) supervisor.start()
        else this.#stopping.abort(error)
      },
    })
    return supervisor
  }

  async startWorkers(): Promise<void> {
    for (const worker of this.workers) worker.start()
    await Promise.all(this.workers.map((worker) => worker.running()))
  }

  async stopWorkers(): Promise<void> {
    this.#stopping.abort(new Error('the engine is closed'))
    await Promise.all(this.workers.map((worker) => worker[Symbol.asyncDispose]()))
  }

  #forget(workerName: string) {
    this.#children.delete(workerName)
    for (const [key, worker] of this.running) if (worker === workerName) this.running.delete(key)
  }

  #hear(workerName: string, line: string) {
    const [, what, ledger = '', job = ''] = /^(begun|done) (\S+) (\d+)$/.exec(line) ?? []
    if (what === undefined) return
    this.heardAt = performance.now()
    if (ledger === '-') {
      if (Number(job) >= this.#small) this.#stopping.abort(new Error(`a worker said "${line}", which nobody has sent`))
      this.#smallDone++
    } else {
      const key = keyOf({ ledger, job: Number(job) })
      if (what === 'begun') {
        this.running.set(key, workerName)
        this.begun.set(key, (this.begun.get(key) ?? 0) + 1)
      } else {
        this.running.delete(key)
        if (!this.doneAt.has(key)) this.doneIn.set(ledger, (this.doneIn.get(ledger) ?? 0) + 1)
        this.doneAt.set(key, this.doneAt.get(key) ?? this.heardAt)
      }
    }
    this.look()
  }

  /** Checks the conditions of `until` again. */
  look(): void {
    const fulfilled = this.#waiting.filter(({ isFulfilled }) => isFulfilled())
    if (fulfilled.length === 0) return
    this.#waiting = this.#waiting.filter((each) => !fulfilled.includes(each))
    for (const { resolve } of fulfilled) resolve()
  }

  /** Waits for a condition that changes only when a worker is heard of, or at `look()`. */
  async until(isFulfilled: () => boolean, signal: AbortSignal = this.#stop): Promise<void> {
    const stop = AbortSignal.any([signal, this.#stop])
    stop.throwIfAborted()
    if (isFulfilled()) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { isFulfilled, resolve }
    this.#waiting.push(waiting)
    const abort = () => reject(stop.reason)
    stop.addEventListener('abort', abort)
    await promise.finally(() => {
      stop.removeEventListener('abort', abort)
      this.#waiting = this.#waiting.filter((each) => each !== waiting)
    })
  }

  /** Why the last attempt of `persist` has failed. */
  lastError: unknown

  /** Tries until it succeeds: while a broker is away everything fails, or takes for ever. */
  async persist<T>(action: () => Promise<T>): Promise<T> {
    for (const end = performance.now() + longestAwayMs; ; ) {
      try {
        const late = new AbortController()
        const tooLate = delay(answerMs, undefined, { signal: late.signal }).then(() => {
          throw new Error(`no answer within ${answerMs / 1_000} s`)
        })
        return await Promise.race([action(), tooLate]).finally(() => {
          late.abort()
          tooLate.catch(() => {})
        })
      } catch (error) {
        this.#stop.throwIfAborted()
        this.lastError = error
        if (performance.now() > end) throw error
        await delay(100, undefined, { signal: this.#stop })
      }
    }
  }

  /** Hands in small jobs at once. Returns when the engine has promised to keep them. */
  async hand(count: number): Promise<void> {
    const from = this.#small
    this.#small += count
    await this.client.send(Array.from({ length: count }, (_, at) => ({ job: from + at })))
  }

  /** Waits until all small jobs are done. */
  async untilSmallDone(signal?: AbortSignal): Promise<void> {
    await this.until(() => this.#smallDone >= this.#small, signal)
  }

  /**
   * Waits until a worker runs jobs, or it is over, and stops it in the middle of them with all that it has started.
   *
   * @returns its jobs, none of which the engine can know to be done, and its processes
   */
  async stopInTheMiddle(worker: Supervisor, isOver: () => boolean): Promise<{ held: string[]; pids: number[] }> {
    for (;;) {
      await worker.running()
      const child = this.#children.get(worker.workerName)
      await this.until(() => isOver() || child?.pid === undefined || this.heldBy(worker.workerName).length > 0)
      const pids = child ? await withDescendants([child.pid]) : []
      signal('SIGSTOP', pids)
      // What it has said before it stopped is still to be read; after a pause of this process, in the next turn of its loop.
      await delay(readMs, undefined, { signal: this.#stop })
      await turn()
      const held = this.heldBy(worker.workerName)
      if (held.length > 0 || isOver()) return { held, pids }
      signal('SIGCONT', pids)
    }
  }

  /** Kills a worker that has been stopped. It is not started again yet. */
  async kill(worker: Supervisor, pids: readonly number[]): Promise<void> {
    signal('SIGKILL', pids)
    const name = worker.workerName
    await worker.kill()
    this.#forget(name)
  }

  heldBy(workerName: string): string[] {
    return [...this.running].flatMap(([key, worker]) => (worker === workerName ? [key] : []))
  }

  /** Prepares a broker that has lost everything, as at the beginning. */
  async prepareAgain(): Promise<void> {
    const { adapter, broker, queue } = this.#parts
    await this.persist(async () => await adapter.prepare?.(broker.reach, queue, workOptions))
  }

  /** The memory and the disk space of the broker, in bytes. */
  async footprint(): Promise<{ memory: number | undefined; disk: number }> {
    return { memory: await memoryOf(this.broker.pids()), disk: await diskOf(this.broker.folders) }
  }

  /** The memory of each worker, with the processes that it has started, in bytes. */
  async workerMemory(): Promise<(number | undefined)[]> {
    return await Promise.all([...this.#children.values()].map(({ pid }) => memoryOf([pid])))
  }
}

/** Sends a signal to processes, some of which may have ended. */
export function signal(name: NodeJS.Signals, pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has just ended.
    }
  }
}

export const keyOf = ({ ledger, job }: Job) => `${ledger} ${job}`

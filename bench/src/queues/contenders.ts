/**
 * A contender is a queue, or a remote object, with its worker processes running, and the measurements it can take part
 * in.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { aborted } from '@repo/common/async/abort'
import { until } from '@repo/common/async/until'
import { type Child, startProgram, startServer } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findPython, type PythonModule } from '04-celery/celery/python'
import { connect } from '04-celery/queue/connect'
import { reasonOf } from '../harness/turns.ts'
import { type EngineClient, type EngineName, engines, type Servers } from './engines.ts'
import type { TaskName } from './tasks.ts'

/** What became of a task whose worker was killed in the middle of it. */
export interface Survival {
  outcome: 'result' | 'error' | 'nothing'
  /** From the kill to the result or error. */
  ms: number
  /** How often the task was begun. */
  begun: number
  /** The error's. */
  message?: string | undefined
}

export interface Contender extends AsyncDisposable {
  name: ContenderName
  label: string
  /** Worker processes. */
  workers: number
  /** The remote object's. */
  address?: string | undefined
  /** Hands in `count` small tasks at once. Returns the ms until all results are here; throws when one is wrong. */
  many: (count: number) => Promise<number>
  /** Sends one small task after the other for `budgetMs`. Returns the ms of each, from the call to the result. */
  one: (budgetMs: number) => Promise<number[]>
  /** Hands in `count` tasks at once that only wait, each for `ms`. Returns the ms until all results are here. */
  naps: (count: number, ms: number) => Promise<number>
  /** Kills the worker of a running task, and waits at most `limitMs` for the task's result. */
  kill: (limitMs: number) => Promise<Survival>
}

const labels = {
  bullmq: 'BullMQ on Redis',
  layer: "chapter 4's layer",
  pglite: 'BullMQ on PGlite',
  rq: 'our RQ',
  bee: 'bee-queue',
  remote: 'remote objects',
  celery: 'Celery',
  'rq-python': 'RQ',
  'rq-simple': 'RQ, SimpleWorker',
  pyro: 'Pyro',
}
export type ContenderName = keyof typeof labels

const peers: Partial<Record<ContenderName, PythonModule>> = {
  celery: 'celery',
  'rq-python': 'rq',
  'rq-simple': 'rq',
  pyro: 'Pyro4',
}

/** Every contender, those in Python last. */
export const contenderNames = Object.keys(labels) as ContenderName[]

/** Whether it is written in TypeScript. */
export const isTypeScript = (name: ContenderName): name is EngineName => Object.hasOwn(engines, name)
/** A remote object lives in one process. */
const workerCount = (name: ContenderName) => (name === 'remote' || name === 'pyro' ? 1 : 2)
const slowMs = 1_000
/** A measurement that takes longer fails. */
const longestMs = 300_000
const closeMs = 2_000
/** For busy machines: a worker that is killed leaves its keys behind. */
const longestStopMs = 10_000
const longestCleanUpMs = 20_000

/** A contender whose workers could not be started. */
export interface FailedContender extends AsyncDisposable {
  name: ContenderName
  label: string
  workers: number
  /** Why, in one line. */
  failed: string
}

/** Starts a contender's workers; undefined if it is in Python and not installed. */
export async function startContender(
  name: ContenderName,
  servers: Servers,
  signal: AbortSignal,
): Promise<Contender | FailedContender | undefined> {
  try {
    if (isTypeScript(name)) return await startEngine(name, servers, signal)
    return await startPeer(name, servers.redisUrl, signal)
  } catch (error) {
    signal.throwIfAborted()
    const workers = workerCount(name)
    return { name, label: labels[name], workers, failed: reasonOf(error), [Symbol.asyncDispose]: async () => {} }
  }
}

/** Aborted when one of the workers ends: nobody need wait for results any more. */
function whenLost(workers: Child[], label: string): AbortSignal {
  const lost = new AbortController()
  for (const { exited } of workers) {
    void exited.then(({ code, signal }) => {
      lost.abort(new Error(`${label}: a worker ended ${signal ? `by ${signal}` : `with code ${code}`}`))
    })
  }
  return lost.signal
}

async function startEngine(name: EngineName, servers: Servers, signal: AbortSignal): Promise<Contender> {
  await using stack = new AsyncDisposableStack()
  const queue = `bench-${name}-${randomUUID()}`
  const start = () =>
    startProgram<{ address?: string }>(new URL('./worker.program.ts', import.meta.url), {
      args: [name, queue],
      env: { SERVERS: JSON.stringify(servers) },
      // After Ctrl-C they must still serve the client that cleans up.
      untilReady: signal,
      stopTimeoutMs: longestStopMs,
    })
  const workers = await startAll(stack, Array.from({ length: workerCount(name) }, start))
  const address = workers[0]?.info.address
  const untilLost = AbortSignal.any([signal, whenLost(workers, labels[name])])
  // Each measurement opens a client of its own, as in Python: one that waits for its turn would cost the others time.
  async function withClient<T>(use: (client: EngineClient) => Promise<T>, stop?: AbortSignal): Promise<T> {
    const late = new AbortController()
    const opening = engines[name].open(servers, queue, address ?? '', late.signal)
    try {
      return await Promise.race([
        opening.then(use),
        ...(stop ? [aborted(stop)] : []),
        delay(longestMs, undefined, { signal: late.signal }).then(() => {
          throw new Error(`${labels[name]}: no results within ${longestMs / 1_000} s`)
        }),
      ])
    } finally {
      late.abort()
      // Some clients, closed in the middle of a call, wait for its end for ever.
      const closed = opening.then((client) => client.close()).catch(() => {})
      await Promise.race([closed, delay(closeMs, undefined, { ref: false })])
    }
  }
  stack.defer(async () => {
    const clear = async (client: EngineClient) => {
      // A client opens only while workers serve. But workers that still run would write again what is removed.
      await Promise.all(workers.map((worker) => worker.stop()))
      await client.clear?.()
    }
    await withClient(clear, AbortSignal.timeout(longestCleanUpMs)).catch(() => {})
  })

  async function timed(client: EngineClient, task: TaskName, argsLists: unknown[][], expected: unknown[]) {
    const begin = performance.now()
    const results = await client.call(task, argsLists)
    const ms = performance.now() - begin
    if (results.length !== expected.length || results.some((result, at) => result !== expected[at])) {
      throw new Error(`${labels[name]} returned wrong results`)
    }
    return ms
  }
  const owned = stack.move()
  return {
    name,
    label: labels[name],
    workers: workers.length,
    address,
    many: (count) =>
      withClient(async (client) => {
        await timed(client, 'add', [[0, 0]], [0])
        const argsLists = Array.from({ length: count }, (_, at) => [at, 1])
        const sums = Array.from({ length: count }, (_, at) => at + 1)
        return await timed(client, 'add', argsLists, sums)
      }, untilLost),
    one: (budgetMs) =>
      withClient(async (client) => {
        const samples: number[] = []
        await timed(client, 'add', [[0, 0]], [0])
        const end = performance.now() + budgetMs
        while (performance.now() < end) {
          const begin = performance.now()
          const [result] = await client.call('add', [[1, 2]])
          samples.push(performance.now() - begin)
          if (result !== 3) throw new Error(`${labels[name]} returned a wrong result`)
        }
        return samples
      }, untilLost),
    naps: (count, ms) =>
      withClient(async (client) => {
        await timed(client, 'nap', Array(count).fill([1]), Array(count).fill(1))
        return await timed(client, 'nap', Array(count).fill([ms]), Array(count).fill(ms))
      }, untilLost),
    kill: (limitMs) =>
      withClient((client) => killOne(workers, (file) => client.call('slow', [[file, slowMs]]), limitMs), signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function startPeer(name: ContenderName, redisUrl: string, signal: AbortSignal): Promise<Contender | undefined> {
  const module = peers[name]
  const python = module && (await findPython(module, signal))
  if (!python) return undefined
  const peer = name === 'rq-python' ? 'rq' : name
  const script = fileURLToPath(new URL('./peers.py', import.meta.url))
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  const queue = `bench-${name}-${randomUUID()}`
  // The URL contains a password, and any user may read a command line.
  const env = {
    REDIS_URL: redisUrl,
    QUEUE: queue,
    PYRO_URI: '',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONWARNINGS: 'ignore',
  }
  const celery = [
    '-m',
    'celery',
    '-A',
    'peers',
    'worker',
    '--loglevel',
    'ERROR',
    '--without-gossip',
    '--without-mingle',
    '--concurrency',
    '1',
  ]

  await using stack = new AsyncDisposableStack()
  const start = (_: unknown, at: number) =>
    startServer({
      command: python.command,
      args: peer === 'celery' ? [...celery, '--hostname', `${queue}-${at}@%h`] : [script, 'work', peer],
      cwd,
      env,
      signal,
      ownTemporaryFolder: true,
      ready: /^(ready|PYRO:.*)$/,
      onLine: (line) => {
        if (line.startsWith('PYRO:')) env.PYRO_URI = line
      },
    })
  stack.defer(() => removeKeys(redisUrl, queue))
  const workers = await startAll(stack, Array.from({ length: workerCount(name) }, start))

  const untilLost = AbortSignal.any([signal, whenLost(workers, labels[name])])
  async function client<T>(what: string, args: (string | number)[], stop: AbortSignal = untilLost): Promise<T> {
    const running = promisify(execFile)(python?.command ?? '', [script, what, peer, ...args.map(String)], {
      cwd,
      env: { ...process.env, ...env },
      signal: stop,
      timeout: longestMs,
      maxBuffer: 64 << 20,
    })
    const { stdout } = await running.catch((error) => {
      stop.throwIfAborted()
      throw error
    })
    return JSON.parse(stdout) as T
  }
  const owned = stack.move()
  return {
    name,
    label: `${labels[name].replace(',', ` ${python.version},`)}${labels[name].includes(',') ? '' : ` ${python.version}`}`,
    workers: workers.length,
    many: async (count) => (await client<{ ms: number }>('many', [count])).ms,
    one: async (budgetMs) => (await client<{ samples: number[] }>('one', [budgetMs])).samples,
    naps: async (count, ms) => (await client<{ ms: number }>('naps', [count, ms])).ms,
    kill: (limitMs) => {
      const stop = new AbortController()
      const call = (file: string) => client('slow', [file, slowMs], AbortSignal.any([signal, stop.signal]))
      return killOne(workers, call, limitMs).finally(() => stop.abort())
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Removes what a queue in Python leaves: keys that contain the queue's name, and its entries in RQ's own sets. */
async function removeKeys(redisUrl: string, queue: string) {
  const redis = await connect(redisUrl)
  for await (const found of redis.scanStream({ match: `*${queue}*`, count: 1_000 })) {
    if (found.length > 0) await redis.unlink(...(found as string[]))
  }
  for (const set of ['rq:queues', 'rq:workers']) {
    const members = (await redis.smembers(set)).filter((member) => member.includes(queue))
    if (members.length > 0) await redis.srem(set, ...members)
  }
  redis.disconnect()
}

/** Sends a task that notes in a file which process runs it, kills its worker with all processes, and waits for an outcome. */
async function killOne(workers: Child[], send: (file: string) => Promise<unknown>, limitMs: number): Promise<Survival> {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'begun')
  const begun = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  type Ending = { outcome: Survival['outcome']; message?: string }
  const ended: Promise<Ending> = send(file).then(
    () => ({ outcome: 'result' }),
    (error: Error) => ({ outcome: 'error', message: lastLine(error.message) }),
  )
  const [first = ''] = await until(async () => ((await begun()).length > 0 ? begun() : undefined), {
    what: 'the task to be killed to begin',
  })
  // #region kill
  // The task's process and its parent: RQ starts a process for each task, Celery keeps some ready.
  const pids = first.split(' ').map(Number)
  const victim = workers.find(({ pid }) => pids.includes(pid))
  const killedAt = performance.now()
  for (const pid of [-(victim?.pid ?? 0), pids[0] ?? 0]) {
    try {
      if (pid !== 0) process.kill(pid, 'SIGKILL')
    } catch {
      // It died with its group.
    }
  }
  // #endregion kill
  const nothing = new AbortController()
  const ending = await Promise.race([
    ended,
    delay(limitMs, undefined, { signal: nothing.signal }).then((): Ending => ({ outcome: 'nothing' })),
  ])
  nothing.abort()
  return { ...ending, ms: performance.now() - killedAt, begun: (await begun()).length }
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? ''

/** Says in a few words what became of the task. */
export function describeSurvival({ outcome, ms, message = '' }: Survival): string {
  if (outcome === 'result') return `run again: the result after ${(ms / 1_000).toFixed(1)} s`
  if (outcome === 'error') return `an error for the caller, at once: ${message.replace(/(:\/\/\S+?):\d+/, '$1')}`
  return 'nothing'
}

/**
 * The book's four hosts: HOST1 is the broker, HOST2 its replica, HOST3 has the workers and is two machines here, HOST4
 * is the client. All names come from a hosts file.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Program, startProgram, startServer } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { makeLab } from './namespaces.ts'

export const hosts = ['host1', 'host2', 'host3a', 'host3b', 'host4'] as const
export type HostName = (typeof hosts)[number]
const workerHosts = ['host3a', 'host3b'] as const
const port = 6379

/** What the client is asked to do, and its answers. */
export type ClientQuestion =
  | { ask: 'sort'; n: number; chunks: number; way: 'in messages' | 'by reference'; seed: number }
  | { ask: 'active' }
  | { ask: 'workers' }
  | { ask: 'replica' }

export interface Sorted {
  ms: number
  sorted: boolean
  /** Time in ms of the faster of two plain programs for the same numbers, on one thread of the client. */
  bestSerialMs: number
  /** How many chunks each worker sorted. */
  byWorker: Record<string, number>
}
interface Active {
  /** The worker of each task that runs. */
  running: string[]
}
interface Replicated {
  /** How many replicas have everything that the broker has. */
  acknowledged: number
  keys: number
  keysOnReplica: number
}
export type ClientAnswer = Sorted | Active | Replicated | { workers: string[] }
type AnswerTo<Q extends ClientQuestion> = {
  sort: Sorted
  active: Active
  workers: { workers: string[] }
  replica: Replicated
}[Q['ask']]

export interface FourHosts extends AsyncDisposable {
  address: (host: HostName) => string
  cut: (host: HostName) => Promise<void>
  heal: (host: HostName) => Promise<void>
  /** Asks the client on HOST4; questions may overlap. */
  ask: <Q extends ClientQuestion>(question: Q) => Promise<AnswerTo<Q>>
}

/** @param lockSeconds how long a worker without a sign of life keeps its tasks */
export async function startFourHosts({
  lockSeconds,
  signal,
}: {
  lockSeconds: number
  signal: AbortSignal
}): Promise<FourHosts> {
  const found = await findRedisServer()
  if (!found) throw new Error('no Redis server on PATH')
  await using stack = new AsyncDisposableStack()
  const lab = stack.use(await makeLab(hosts))
  const folder = stack.use(await temporaryFolder())
  const password = randomBytes(24).toString('base64url')
  const urlOf = (host: HostName) => `redis://:${password}@${host}:${port}`

  async function startRedisOn(host: HostName, more: string[]) {
    const config = join(folder.path, `${host}.conf`)
    const lines = [
      `bind ${lab.address(host)}`,
      `port ${port}`,
      `requirepass ${password}`,
      `dir "${folder.path}"`,
      'save ""',
      'maxmemory-policy noeviction',
      'set-proc-title no',
      ...more,
    ]
    await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 })
    const [command = '', ...first] = lab.launcher(host)
    const args = [...first, found?.path ?? '', config]
    stack.use(await startServer({ command, args, ready: /Ready to accept connections/, signal }))
  }
  await startRedisOn('host1', [])
  await startRedisOn('host2', [`replicaof host1 ${port}`, `masterauth ${password}`])

  const env = { REDIS_URL: urlOf('host1'), REPLICA_URL: urlOf('host2') }
  const start = (host: HostName, file: string, args: string[]) =>
    startProgram(new URL(file, import.meta.url), { launcher: lab.launcher(host), args, env, signal })
  const workerArgs = (host: HostName) => ['--name', host, '--concurrency', '1', '--lock', String(lockSeconds)]
  const clientStart = start('host4', './client.program.ts', [])
  const workerStarts = workerHosts.map((host) => start(host, '../tasks/worker.program.ts', workerArgs(host)))
  await startAll(stack, [clientStart, ...workerStarts])
  const client = await clientStart
  const owned = stack.move()
  return {
    address: lab.address,
    cut: lab.cut,
    heal: lab.heal,
    ask: (question) => askClient(client, question),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function askClient<Q extends ClientQuestion>({ process, exited }: Program<unknown>, question: Q) {
  const id = randomUUID()
  const answered = Promise.withResolvers<AnswerTo<Q>>()
  const listen = (message: unknown) => {
    const { id: to, answer, error } = message as { id?: string; answer: AnswerTo<Q>; error?: string }
    if (to !== id) return
    if (error === undefined) answered.resolve(answer)
    else answered.reject(new Error(`the client on host4: ${error}`))
  }
  process.on('message', listen)
  process.send({ id, question })
  try {
    const ended = exited.then(({ code, signal }) => {
      throw new Error(`the client on host4 has ended with ${signal ?? code}`)
    })
    return await Promise.race([answered.promise, ended])
  } finally {
    process.off('message', listen)
  }
}

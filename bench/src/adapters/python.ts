/** Engines in Python, with clients and workers of their own: Celery and RQ (peers.py), and Temporal (temporal.py). */
import { fileURLToPath } from 'node:url'
import { startServer } from '@repo/common/process/child'
import { findPython, type PythonModule } from '04-celery/celery/python'
import type { Reach } from '../brokers/broker.ts'
import { redisUrl } from '../brokers/redis.ts'
import { enginesPython } from '../brokers/temporal.ts'
import { startAsked } from '../harness/asked.ts'
import type { Adapter } from './adapter.ts'

const cwd = fileURLToPath(new URL('.', import.meta.url))

interface InPython {
  /** Returns the interpreter. */
  python: () => Promise<string>
  /** Where the broker is. In the environment, because any user may read a command line. */
  place: (reach: Reach) => NodeJS.ProcessEnv
  client: string[]
  worker: (concurrency: number) => string[]
}

function inPython({ python, place, client, worker }: InPython): Adapter {
  const environment = (reach: Reach, queue: string) => ({
    ...place(reach),
    QUEUE: queue,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONWARNINGS: 'ignore',
  })
  return {
    async open(reach, queue) {
      const program = startAsked(await python(), client, { cwd, env: environment(reach, queue) })
      const ask = async (question: object) => (await program.ask<{ value?: number }>(question)).value ?? 0
      return {
        send: (jobs) => ask({ send: jobs }),
        left: () => ask({ left: true }),
        close: async () => void (await program[Symbol.asyncDispose]()),
      }
    },
    async launch({ reach, queue, ledgerUrl, concurrency, leaseMs }, { untilReady, ...options }) {
      return await startServer({
        ...options,
        command: await python(),
        args: worker(concurrency),
        cwd,
        env: { ...environment(reach, queue), LEDGER_URL: ledgerUrl, LEASE_MS: String(leaseMs) },
        ready: /^ready$/,
        signal: untilReady,
        ownTemporaryFolder: true,
      })
    },
  }
}

/** Those whose broker is Redis. */
const onRedis = (module: PythonModule, worker: InPython['worker']) =>
  inPython({
    async python() {
      const found = await findPython(module)
      if (!found) throw new Error(`no Python has ${module}`)
      return found.command
    },
    place: (reach) => ({ REDIS_URL: redisUrl(reach) }),
    client: ['peers.py', 'client', module],
    worker,
  })

export const celery = onRedis('celery', (concurrency) => [
  ...['-m', 'celery', '-A', 'peers', 'worker', '--loglevel', 'CRITICAL', '--without-gossip', '--without-mingle'],
  ...['--concurrency', String(concurrency), '--hostname', `${process.hrtime.bigint()}@bench`],
])
export const rq = onRedis('rq', (concurrency) => ['peers.py', 'work', 'rq', String(concurrency)])
export const temporal = inPython({
  python: async () => enginesPython,
  place: ({ endpoints: [endpoint] }) => ({ TEMPORAL: `${endpoint?.host}:${endpoint?.port}` }),
  client: ['temporal.py', 'client'],
  worker: (concurrency) => ['temporal.py', 'work', String(concurrency)],
})

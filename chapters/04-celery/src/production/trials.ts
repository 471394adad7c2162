/** What the settings of a Redis are for: each tried on servers of our own, with it and without it. */
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { type Client, openClient } from '../queue/client.ts'
import { connect } from '../queue/connect.ts'
import { defaultQueue } from '../queue/settings.ts'
import { add, echo } from '../tasks/index.ts'
import { startWorker } from '../worker/worker.ts'
import { startSecureRedis, workerUser } from './secure-redis.ts'

interface TrialOptions {
  signal: AbortSignal
}

/** How many of the tasks that were accepted are there after the memory was full. */
export async function whenFull(policy: 'noeviction' | 'allkeys-lru', { signal }: TrialOptions) {
  await using server = await startRedis({ own: true, signal })
  await using client = await openClient({ url: server.url })
  // Before it is told: BullMQ warns of such a server, on the console.
  await client.queue(defaultQueue).waitUntilReady()
  const used = Number(/used_memory:(\d+)/.exec(await client.redis.info('memory'))?.[1])
  await client.redis.config('SET', 'maxmemory', String(used + 4_000_000))
  await client.redis.config('SET', 'maxmemory-policy', policy)
  const ids: string[] = []
  let refusal: string | undefined
  while (refusal === undefined && ids.length < 500) {
    signal.throwIfAborted()
    try {
      ids.push((await client.send(echo, { text: 'x'.repeat(20_000) })).id)
    } catch (error) {
      refusal = (error as Error).message
    }
  }
  const kept =
    ids.length === 0 ? 0 : await client.redis.exists(...ids.map((id) => `${client.prefix}:${defaultQueue}:${id}`))
  return { accepted: ids.length, lost: ids.length - kept, refusal }
}

/** How many of the tasks that were accepted are there after the server was killed and started again. */
export async function whenKilled(appendOnly: boolean, { signal }: TrialOptions) {
  await using server = await startRedis({ own: true, appendOnly, signal })
  await using client = await openClient({ url: server.url })
  const accepted = (await client.sendMany(add, Array(100).fill({ a: 1, b: 2 }))).length
  server.server?.process.kill('SIGKILL')
  await server.server?.exited
  await server.restart()
  await using after = await openClient({ url: server.url })
  const kept = await after.queue(defaultQueue).getJobCountByTypes('waiting')
  return { accepted, lost: accepted - kept }
}

/** Runs tasks over TLS as a user who may do no more than that, and tries what must be refused. */
export async function whenSecured({ signal }: TrialOptions) {
  const prefix = 'celery'
  await using server = await startSecureRedis(prefix, { signal })
  const { url, ca } = server
  await using client = await openClient({ url, ca, prefix })
  await using _worker = await startWorker({ url, ca, prefix, tasks: [add] })
  const sum = await (await client.send(add, { a: 1, b: 2 })).get({ timeoutMs: 60_000, signal })

  const refused = async (attempt: Promise<unknown>) => {
    try {
      await attempt
      return 'allowed'
    } catch (error) {
      const { message, cause } = error as Error
      return (cause as Error | undefined)?.message ?? message
    }
  }
  const once = { retryStrategy: () => null, connectTimeout: 5_000 }
  const open = async (url: string, options: object) => {
    const redis = await connect(url, { ...once, ...options })
    redis.disconnect()
  }
  const { host } = new URL(url)
  const attempts = {
    'connect without TLS': refused(open(url.replace('rediss:', 'redis:'), {})),
    'trust a certificate that nobody has signed': refused(open(url, {})),
    'connect without a name': refused(open(`rediss://${host}`, { tls: { ca } })),
    'connect with a wrong password': refused(open(`rediss://${workerUser}:wrong@${host}`, { tls: { ca } })),
    'FLUSHALL as the worker': refused(client.redis.flushall()),
    'CONFIG as the worker': refused(client.redis.config('GET', 'maxmemory')),
    "read another program's key": refused(client.redis.get('billing:customers')),
  }
  const refusals: Record<string, string> = {}
  for (const [what, outcome] of Object.entries(attempts)) refusals[what] = await outcome
  return { sum, refusals }
}

/** Bytes of Redis's memory that a task takes while it waits, and afterwards while its result is kept. */
export async function memoryPerTask(tasks: number, { signal }: TrialOptions) {
  await using server: RedisServer = await startRedis({ own: true, signal })
  await using client = await openClient({ url: server.url })
  const settings = { url: server.url, tasks: [add], concurrency: 50 }
  // With one task done, so that what a queue takes by itself is not counted.
  {
    await using _worker = await startWorker(settings)
    await (await client.send(add, { a: 0, b: 0 })).get({ timeoutMs: 60_000, signal })
  }
  const before = await usedMemory(client)
  const results = await client.sendMany(add, Array(tasks).fill({ a: 1, b: 2 }))
  const waiting = await usedMemory(client)
  {
    await using _worker = await startWorker(settings)
    await Promise.all(results.map((result) => result.get({ timeoutMs: 120_000, signal })))
  }
  const kept = await usedMemory(client)
  return { waiting: (waiting - before) / tasks, kept: (kept - before) / tasks }
}

async function usedMemory({ redis }: Client): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}

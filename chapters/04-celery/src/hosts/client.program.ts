/** The client on its host: sorts when asked over IPC. REDIS_URL is the broker's, REPLICA_URL the replica's. */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { radixSort } from '../mergesort/radix-sort.ts'
import { bytesOf, cut, mergeAsTheyCome, randomNumbers } from '../mergesort/sort.ts'
import { byReference, inMessages, RunStore, Trace } from '../mergesort/ways.ts'
import { type Client, openClient } from '../queue/client.ts'
import { connect, type Redis } from '../queue/connect.ts'
import { ping } from '../queue/control.ts'
import { defaultQueue } from '../queue/settings.ts'
import type { ClientAnswer, ClientQuestion } from './hosts.ts'

const { REDIS_URL: url = '', REPLICA_URL: replicaUrl = '' } = process.env

async function answer(client: Client, question: ClientQuestion): Promise<ClientAnswer> {
  switch (question.ask) {
    case 'sort': {
      const { n, chunks, way, seed } = question
      await using store = new RunStore(client)
      const send = way === 'in messages' ? inMessages(client) : byReference(client, store)
      const numbers = randomNumbers(n, seed)
      const trace = new Trace()
      const runs = await send(cut(numbers, chunks), trace)
      const sorted = await mergeAsTheyCome(runs, trace.merge)
      const { ms, lanes } = trace.stop()
      const copy = numbers.slice()
      const begin = performance.now()
      radixSort(copy)
      const radixMs = performance.now() - begin
      numbers.sort()
      const bestSerialMs = Math.min(radixMs, performance.now() - begin - radixMs)
      const isSorted = Buffer.compare(bytesOf(sorted), bytesOf(numbers)) === 0
      const byWorker = [...lanes].flatMap(([worker, spans]) =>
        worker === 'client' ? [] : [[worker, spans.filter(({ doing }) => doing === 'sort').length] as const],
      )
      return { ms, sorted: isSorted, bestSerialMs, byWorker: Object.fromEntries(byWorker) }
    }
    case 'active': {
      const jobs = await client.queue(defaultQueue).getActive()
      return { running: jobs.flatMap(({ processedBy }) => processedBy ?? []) }
    }
    case 'workers':
      return { workers: await ping(client, { timeoutMs: 1_000 }) }
    case 'replica': {
      const replica = await connect(replicaUrl)
      try {
        // Fulfilled when the replica has acknowledged everything.
        const acknowledged = await client.redis.wait(1, 30_000)
        return { acknowledged, keys: await keysOf(client.redis), keysOnReplica: await keysOf(replica) }
      } finally {
        replica.disconnect()
      }
    }
  }
}

/** How many keys a Redis has, without those that expire: the idle workers' own come and go. */
async function keysOf(redis: Redis): Promise<number> {
  const [, keys, expiring] = /^db0:keys=(\d+),expires=(\d+)/m.exec(await redis.info('keyspace')) ?? []
  return Number(keys ?? 0) - Number(expiring ?? 0)
}

try {
  const client = await openClient({ url })
  process.on('message', ({ id, question }: { id: string; question: ClientQuestion }) => {
    answer(client, question).then(
      (answer) => process.send?.({ id, answer }),
      (error) => process.send?.({ id, error: describeError(error) }),
    )
  })
  process.once('SIGTERM', () => process.exit())
  ready()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}

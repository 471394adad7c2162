/** Functions behind a queue: partial failures, deliveries that come twice, poison, limits, and a job that is killed. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { until } from '@repo/common/async/until'
import { bundleProgram } from '@repo/common/process/bundle'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keysOf, placesForWorkers } from '../../src/cloud/place.ts'
import { runDurable } from '../../src/lambda/durable.ts'
import { findEmulator, type Runtime, startEnvironment } from '../../src/lambda/environment.ts'
import { mapQueue } from '../../src/lambda/event-source-mapping.ts'
import { LambdaFunction } from '../../src/lambda/function.ts'
import { type Counting, countBatch, countsKey } from '../../src/lambda/map-step.ts'
import type { QueueBatch } from '../../src/lambda/queue-batch.ts'
import type { TextsCounted } from '../../src/lambda/whole-job.program.ts'
import { makeQueues, receiveAll } from '../../src/queues.ts'
import { type OpenCloud, openCloud } from '../../src/session/open.ts'
import { listObjects, temporaryBucket } from '../../src/storage/buckets.ts'
import { countAlone, uploadAddresses } from '../../src/wordcount/addresses.ts'
import { addResult, readObject, type Total } from '../../src/wordcount/map-reduce.ts'

const { signal } = new AbortController()
let stack: AsyncDisposableStack
let cloud: OpenCloud
beforeAll(async () => {
  stack = new AsyncDisposableStack()
  cloud = stack.use(await openCloud())
})
afterAll(() => stack.disposeAsync())

/** A bucket with the first addresses, and their keys. */
async function texts(most: number) {
  const { name: bucket } = stack.use(await temporaryBucket(cloud.s3))
  const uploaded = await uploadAddresses(cloud.s3, bucket, { most })
  return { bucket, keys: uploaded.texts.map(({ key }) => key) }
}

const records = (...bodies: unknown[]): QueueBatch => ({
  Records: bodies.map((body, at) => ({
    messageId: `m${at}`,
    receiptHandle: `r${at}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: {},
    messageAttributes: {},
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:jobs',
  })),
})

describe('the map step', () => {
  it('reports what failed of a batch, and has done the rest', async () => {
    const { s3 } = cloud
    const { bucket, keys } = await texts(2)
    const done: Counting[] = []
    const errors: Error[] = []
    const batch = records(
      { key: keys[0] },
      { key: 'texts/missing.txt' },
      'no JSON',
      { key: 'secrets/x' },
      { key: keys[1] },
    )
    const answer = await countBatch(batch, {
      s3,
      bucket,
      onDone: (counting) => done.push(counting),
      onFailed: (error) => errors.push(error),
    })
    const failed = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    expect(failed.sort()).toEqual(['m1', 'm2', 'm3'])
    expect(done.map(({ key }) => key).sort()).toEqual(keys)
    expect(errors.map(({ message }) => message).join()).toContain('texts/missing.txt')
    expect(errors).toHaveLength(3)
    const results = await Array.fromAsync(listObjects(s3, bucket, 'counts/'))
    expect(results.map(({ Key }) => Key)).toEqual(keys.map(countsKey))
  })

  it('counts once what is delivered twice, even in the same batch', async () => {
    const { s3 } = cloud
    const { bucket, keys } = await texts(1)
    const done: string[] = []
    const options = { s3, bucket, onDone: ({ result }: Counting) => done.push(result), onFailed: () => {} }
    const message = { key: keys[0] }
    for (let delivery = 1; delivery <= 2; delivery++)
      expect(await countBatch(records(message, message), options)).toEqual({ batchItemFailures: [] })
    expect(done.filter((result) => result === 'counted')).toHaveLength(1)
    expect(done).toHaveLength(4)
    const total: Total = { counts: new Map(), words: 0, bytes: 0, objects: [] }
    await addResult(s3, { id: '1', bucket, output: countsKey(keys[0] ?? '') }, total, signal)
    expect(total.counts).toEqual((await countAlone({ most: 1 })).counts)
  })
})

describe('the event source mapping', () => {
  /** Sends messages, and maps them until each of them was deleted or is among the dead letters. */
  async function mapUntilDone(
    bodies: string[],
    invoke: (batch: QueueBatch) => Promise<unknown>,
    { concurrency = 2, batchSize = 10 } = {},
  ) {
    const { sqs } = cloud
    await using queues = await makeQueues(sqs, { visibilitySeconds: 2, tries: 2 })
    for (const MessageBody of bodies)
      await sqs.send(new SendMessageCommand({ QueueUrl: queues.urls.jobs, MessageBody }))
    const ended = new AbortController()
    const deleted: string[] = []
    const dead: unknown[] = []
    const onBatch = (batch: { deleted: string[] }) => deleted.push(...batch.deleted)
    const options = { queueUrl: queues.urls.jobs, concurrency, batchSize, invoke, onBatch, signal: ended.signal }
    const mapping = mapQueue(sqs, options)
    async function bury() {
      for await (const letter of receiveAll(sqs, queues.urls.dead, ended.signal)) dead.push(letter)
    }
    const burying = bury()
    await until(() => new Set(deleted).size + dead.length >= new Set(bodies).size, { what: 'all done' })
    ended.abort()
    await Promise.allSettled([mapping, burying])
    return { deleted: [...new Set(deleted)].sort(), dead }
  }

  it('brings a poison message to the dead letters, and deletes the others of its batch', async () => {
    const tried: string[] = []
    const result = await mapUntilDone(['1', '2', '3'], async ({ Records }) => {
      tried.push(...Records.map(({ body }) => body))
      const failed = Records.filter(({ body }) => body === '2')
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
    expect(result).toEqual({ deleted: ['1', '3'], dead: [2] })
    expect(tried.filter((body) => body === '2')).toHaveLength(2)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('out of memory'))],
    ['names a message that nobody gave it', async () => ({ batchItemFailures: [{ itemIdentifier: 'unknown' }] })],
    ['names no message', async () => ({ batchItemFailures: [{ itemIdentifier: '' }] })],
  ])('lets the whole batch come again when the function %s', async (_, answer) => {
    let invocations = 0
    const result = await mapUntilDone(['1'], async () => (++invocations === 1 ? await answer() : null))
    expect(result).toEqual({ deleted: ['1'], dead: [] })
    expect(invocations).toBeGreaterThan(1)
  })

  it('has as many invocations under way as its limit, and never more', async () => {
    let running = 0
    let most = 0
    const full = Promise.withResolvers<void>()
    await mapUntilDone(
      Array.from({ length: 12 }, (_, at) => String(at)),
      async () => {
        most = Math.max(most, ++running)
        if (running === 3) full.resolve()
        await full.promise
        running--
      },
      { concurrency: 3, batchSize: 1 },
    )
    expect(most).toBe(3)
  })
})

// The emulator where `npm run lambda` has built it; the host everywhere.
const runtimes: Runtime[] = findEmulator() ? ['host', 'emulator'] : ['host']
describe.each(runtimes)('in environments of the %s', (runtime) => {
  const running = leavesNothingRunning()
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
    for (const name of ['map-step', 'whole-job']) {
      const program = new URL(`../../src/lambda/${name}.program.ts`, import.meta.url)
      await writeFile(join(folder.path, `${name}.mjs`), await bundleProgram(program, { target: 'node22' }))
    }
    await writeFile(
      join(folder.path, 'faulty.mjs'),
      'export async function handler(event) { if (event === "end") process.exit(3); throw new RangeError("too far") }',
    )
  })
  afterAll(() => folder[Symbol.asyncDispose]())
  const start = (name: string, env: NodeJS.ProcessEnv = {}, onLine = (_: string) => {}) =>
    startEnvironment(runtime, { file: join(folder.path, `${name}.mjs`), env, onLine })

  it('a function is loaded once, and counts batch after batch', async () => {
    const { bucket, keys } = await texts(3)
    const env = { ...placesForWorkers(cloud.places), BUCKET: bucket }
    await using counter = new LambdaFunction(() => start('map-step', env))
    for (const key of keys) expect(await counter.invoke(records({ key }))).toEqual({ batchItemFailures: [] })
    expect(counter.invocations.map(({ isCold }) => isCold)).toEqual([true, false, false])
    const both = await Promise.all([counter.invoke(records()), counter.invoke(records())])
    expect(both).toEqual([{ batchItemFailures: [] }, { batchItemFailures: [] }])
    expect(counter.invocations.filter(({ isCold }) => isCold)).toHaveLength(2)
    expect(counter.mostAtOnce).toBe(2)
  })

  it('what a function throws arrives, and so does the end of its process', async () => {
    await using faulty = new LambdaFunction(() => start('faulty'))
    await expect(faulty.invoke('throw')).rejects.toThrow('RangeError: too far')
    await expect(faulty.invoke('end')).rejects.toThrow(/ended with code 3|exit/i)
    expect(faulty.invocations).toEqual([])
  })

  it('a function that is interrupted in the middle ends', async () => {
    const file = join(folder.path, 'endless.mjs')
    await writeFile(
      file,
      'export async function handler() { console.log("begun"); await new Promise(() => setInterval(() => {}, 1000)) }',
    )
    const interruption = new AbortController()
    const onLine = (line: string) => line === 'begun' && interruption.abort()
    await using endless = await startEnvironment(runtime, { file, env: {}, signal: interruption.signal, onLine })
    await expect(endless.invoke(null)).rejects.toThrow(/ended by SIGTERM|signal: killed/)
  })

  it('a durable function that is killed goes on where its checkpoints end', async () => {
    const { bucket } = await texts(6)
    const lives: string[][] = []
    const kept: string[] = []
    const done: string[] = []
    const input = { bucket, prefix: 'results/', jobs: 6 }
    const { result, lives: processes } = await runDurable<TextsCounted>(input, {
      start(api) {
        const life: string[] = []
        lives.push(life)
        const steps = (line: string) =>
          life.push(...[...line.matchAll(/"step":"(job \d)"/g)].map(([, step = '']) => step))
        const { storage } = cloud.places
        const env = { ...placesForWorkers(cloud.places), ...keysOf(storage), AWS_REGION: storage.region, ...api }
        return start('whole-job', env, steps)
      },
      onCheckpoint(completed, environment) {
        kept.push(...completed)
        // With the first job: two at a time are counted, so others are left for the second life.
        if (done.length > 0 || !completed.some((step) => step.startsWith('job '))) return
        done.push(...completed)
        void environment?.kill()
      },
      signal,
    })
    expect(processes).toBe(2)
    expect(kept.filter((step) => step === 'list')).toHaveLength(1)
    const [first = [], second = []] = lives
    // What has a checkpoint does not run again, and everything runs in one of the two lives.
    for (const step of done) expect(second).not.toContain(step)
    expect(new Set([...first, ...second])).toEqual(new Set(Array.from({ length: 6 }, (_, at) => `job ${at + 1}`)))
    expect(second.length).toBeGreaterThan(0)
    const counts = JSON.parse(String(await readObject(cloud.s3, bucket, result.output, signal))) as [string, number][]
    expect(new Map(counts)).toEqual((await countAlone({ most: 6 })).counts)
  })

  it('a durable function that always dies is given up', async () => {
    const run = runDurable(null, { start: () => start('faulty', {}), signal })
    await expect(run).rejects.toThrow('RangeError: too far')
    expect(await running()).not.toContainEqual(expect.stringContaining('bootstrap'))
  })
})

/**
 * Map and reduce over the objects of a bucket.
 *
 * Map: a job names some objects. A worker counts the words in them and writes its counts to the bucket, under a name
 * that follows from the job. Reduce: the driver adds up the counts of all jobs.
 *
 * A job may be done twice: by a worker that only seemed dead, and by another. The second result replaces the first and
 * is the same, and the driver adds one result per job. So nothing is counted twice, and nothing is missed.
 */
import { setImmediate } from 'node:timers/promises'
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { parseJson, type QueueUrls, receiveAll, send, sendAll } from '../queues.ts'
import { WordCounter } from './word-counter.ts'
import { addCounts, type Counts } from './words.ts'

export interface CountJob {
  id: string
  bucket: string
  keys: string[]
  /** Where the result goes. */
  output: string
  /** How many times to count each text, for more work. The result is that of counting once. */
  repeat: number
}

/** The content of a job's result object, as JSON. */
interface Counted {
  objects: { key: string; bytes: number; words: number }[]
  counts: [string, number][]
}

const reportSchema = z.object({
  job: z.string(),
  worker: z.string(),
  outcome: z.enum(['done', 'failed', 'put back']),
  /** Why it failed. */
  error: z.string().optional(),
  /** Delivery number of the job, from 1. */
  tries: z.number(),
  /** When the worker began and ended, in milliseconds since 1970. */
  from: z.number(),
  to: z.number(),
})

/** What a worker reports when it is finished with a job. */
export type Report = z.infer<typeof reportSchema>

/** A message that is among the dead letters may be anything; a job has an id. */
const letterSchema = z.object({ id: z.string() })

/** Does one job. Yields to the event loop now and then. Returns the content of its result object. */
export async function countObjects(s3: S3Client, job: CountJob, signal: AbortSignal): Promise<string> {
  const { repeat } = job
  const [counter, again] = [new WordCounter(), new WordCounter()]
  const objects: Counted['objects'] = []
  for await (const { key, text } of readAhead(s3, job, signal)) {
    for (let round = 1; round < repeat; round++) {
      again.add(text)
      if (round % 16 === 0) await setImmediate(undefined, { signal })
    }
    objects.push({ key, bytes: text.length, words: counter.add(text) })
    await setImmediate(undefined, { signal })
  }
  return JSON.stringify({ objects, counts: [...counter.counts()] } satisfies Counted)
}

const readsAtOnce = 8

/** Yields the objects of a job in order. Reads some of them ahead, but no more: a job may be larger than the memory. */
async function* readAhead(
  s3: S3Client,
  { bucket, keys }: CountJob,
  signal: AbortSignal,
): AsyncGenerator<{ key: string; text: Buffer }, void> {
  const reading: Promise<Buffer>[] = []
  for (const [at, key] of keys.entries()) {
    for (const next of keys.slice(at + reading.length, at + readsAtOnce)) {
      const text = readObject(s3, bucket, next, signal)
      // Reported when its turn comes.
      text.catch(() => {})
      reading.push(text)
    }
    const text = await reading.shift()
    if (text) yield { key, text }
  }
}

export async function readObject(s3: S3Client, bucket: string, key: string, signal: AbortSignal): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal })
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

/** A worker's handler for `consume`: it does the job, then reports. */
export function counter(s3: S3Client, sqs: SQSClient, results: string, worker: string) {
  return async (job: CountJob, { tries, leave }: { tries: number; leave: AbortSignal }): Promise<void> => {
    const from = Date.now()
    const report = (outcome: Report['outcome'], error?: unknown) =>
      send(sqs, results, {
        job: job.id,
        worker,
        outcome,
        tries,
        from,
        to: Date.now(),
        ...(error instanceof Error && { error: error.message }),
      } satisfies Report)
    try {
      const Body = await countObjects(s3, job, leave)
      const result = { Bucket: job.bucket, Key: job.output, Body, ContentType: 'application/json' }
      await s3.send(new PutObjectCommand(result), { abortSignal: leave })
    } catch (error) {
      await (leave.aborted ? report('put back') : report('failed', error))
      throw error
    }
    // Report before the message is deleted. If the worker dies in between, the job is done twice; it is never lost.
    await report('done')
  }
}

/** Divides objects into at most `count` jobs of about the same size in bytes, the largest job first. */
export function jobsOf(
  objects: readonly { key: string; bytes: number }[],
  { bucket, prefix, count, repeat }: { bucket: string; prefix: string; count: number; repeat: number },
): CountJob[] {
  const shares = Array.from({ length: Math.min(count, objects.length) }, () => ({ keys: [] as string[], bytes: 0 }))
  for (const { key, bytes } of [...objects].sort((a, b) => b.bytes - a.bytes)) {
    const smallest = shares.reduce((least, share) => (share.bytes < least.bytes ? share : least))
    smallest.keys.push(key)
    smallest.bytes += bytes
  }
  return shares
    .sort((a, b) => b.bytes - a.bytes)
    .map(({ keys }, at) => ({ id: String(at + 1), bucket, keys, output: `${prefix}${at + 1}.json`, repeat }))
}

/**
 * Adds the result of a job to a total.
 *
 * @throws an Error when the object is no result
 */
export async function addResult(
  s3: S3Client,
  { id, bucket, output }: Pick<CountJob, 'id' | 'bucket' | 'output'>,
  total: Total,
  signal: AbortSignal,
): Promise<void> {
  const result = parseJson(String(await readObject(s3, bucket, output, signal))) as Partial<Counted> | null | undefined
  const { objects, counts } = result ?? {}
  if (!Array.isArray(objects) || !Array.isArray(counts))
    throw new Error(`the result of job ${id} is not in ${output}: somebody else has written there`)
  addCounts(total.counts, counts)
  for (const object of objects) {
    total.objects.push(object)
    total.words += object.words
    total.bytes += object.bytes
  }
}

export interface MapReduceOptions {
  signal: AbortSignal
  /** Rejected when no worker is left, which ends the work. */
  workersGone?: Promise<never>
  onReport?: (report: Report) => void
}

export interface Total {
  counts: Counts
  words: number
  bytes: number
  /** The words of each object. */
  objects: Counted['objects']
}

/**
 * Puts the jobs into the queue and adds up their results as they arrive.
 *
 * @throws an Error when a job ends up among the dead letters, with the reason of its last failure
 */
export async function mapReduce(
  { s3, sqs }: { s3: S3Client; sqs: SQSClient },
  { jobs: jobsUrl, results, dead }: QueueUrls,
  jobs: CountJob[],
  { signal, workersGone, onReport }: MapReduceOptions,
): Promise<Total> {
  const finished = new AbortController()
  const stop = AbortSignal.any([signal, finished.signal])
  const missing = new Map(jobs.map((job) => [job.id, job]))
  const reasons = new Map<string, string>()
  const total: Total = { counts: new Map(), words: 0, bytes: 0, objects: [] }

  // #region reduce
  async function reduce() {
    if (missing.size === 0) return
    for await (const message of receiveAll(sqs, results, stop)) {
      const { data } = reportSchema.safeParse(message)
      // Somebody else's message.
      if (!data) continue
      onReport?.(data)
      if (data.error) reasons.set(data.job, data.error)
      const job = missing.get(data.job)
      // If the job was done twice, its result has been added already.
      if (data.outcome !== 'done' || !job) continue
      missing.delete(data.job)
      await addResult(s3, job, total, stop)
      if (missing.size === 0) return
    }
  }
  // #endregion reduce
  async function watchDeadLetters() {
    for await (const message of receiveAll(sqs, dead, stop)) {
      const { id = '' } = letterSchema.safeParse(message).data ?? {}
      if (!missing.has(id)) continue
      const reason = reasons.get(id) ?? 'it killed its workers'
      throw new Error(`job ${id} failed too often and is among the dead letters: ${reason}`)
    }
  }
  const working = [sendAll(sqs, jobsUrl, jobs, stop).then(reduce), watchDeadLetters()]
  try {
    await Promise.race([...working, ...(workersGone ? [workersGone] : [])])
  } finally {
    finished.abort()
    await Promise.allSettled(working)
  }
  signal.throwIfAborted()
  return total
}

/**
 * The whole job of wordcount as a durable function. Every step leaves a checkpoint with its result. When the function is
 * invoked again after a crash, it runs from the beginning, and steps that have a checkpoint return what is in it.
 *
 * It is deployed as it is. Code outside of steps runs in every life, so it must do the same each time.
 */
import { type DurableContext, withDurableExecution } from '@aws/durable-execution-sdk-js'
import { s3Client } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'
import { listObjects } from '../storage/buckets.ts'
import { putIfNew } from '../storage/put-if-new.ts'
import { addResult, countObjects, jobsOf, type Total } from '../wordcount/map-reduce.ts'

export interface CountTexts {
  bucket: string
  /** Where the results go. */
  prefix: string
  /** How many jobs to make of the texts. */
  jobs: number
}

export interface TextsCounted {
  words: number
  distinct: number
  /** The key of the counts, as JSON: a checkpoint is too small for them. */
  output: string
}

const s3 = s3Client(placesFromEnvironment().storage)
const { signal } = new AbortController()

// #region job
async function countTexts({ bucket, prefix, jobs }: CountTexts, context: DurableContext): Promise<TextsCounted> {
  const list = await context.step('list', async () => {
    const texts = await Array.fromAsync(listObjects(s3, bucket, 'texts/', { signal }))
    const sizes = texts.map(({ Key, Size }) => ({ key: Key, bytes: Size }))
    return jobsOf(sizes, { bucket, prefix, count: jobs, repeat: 1 })
  })
  const counted = await context.map(
    'count',
    list,
    (child, job) =>
      child.step(`job ${job.id}`, async () => {
        console.log(JSON.stringify({ step: `job ${job.id}` }))
        await putIfNew(s3, { bucket, key: job.output }, await countObjects(s3, job, signal))
      }),
    { maxConcurrency: 2 },
  )
  counted.throwIfError()
  return await context.step('add', async () => {
    const total: Total = { counts: new Map(), words: 0, bytes: 0, objects: [] }
    for (const job of list) await addResult(s3, job, total, signal)
    const output = `${prefix}total.json`
    await putIfNew(s3, { bucket, key: output }, JSON.stringify([...total.counts]))
    return { words: total.words, distinct: total.counts.size, output }
  })
}
// #endregion job

export const handler = withDurableExecution(countTexts)

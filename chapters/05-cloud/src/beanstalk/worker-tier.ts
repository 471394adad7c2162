/**
 * The worker tier gets a message as a POST, counts the words of that part, writes the counts and answers 200. It knows
 * nothing about queues: the daemon deletes the message, or lets it come again.
 */
import { GetObjectCommand, NoSuchKey, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Hono } from 'hono'
import { z } from 'zod'
import { countWords } from '../wordcount/word-counter.ts'
import { countsKey, type PartCounts, partKey } from './text-parts.ts'

const textPart = z.object({ id: z.uuid(), part: z.int().min(0).max(10_000), parts: z.int().min(1).max(10_001) })

export interface WorkerTierOptions {
  s3: S3Client
  bucket: string
  /** Called with errors. */
  log: (line: string) => void
}

/** Returns the application. */
export function workerTier({ s3, bucket, log }: WorkerTierOptions): Hono {
  const app = new Hono()
  // Beanstalk's health check asks for this.
  app.get('/', (c) => c.text('waiting for messages'))

  // #region post
  app.post('/', async (c) => {
    const message = textPart.safeParse(await c.req.json().catch(() => undefined))
    // It will never be valid, however often it comes. After several deliveries the queue moves it to the dead letters.
    if (!message.success) return c.text('the message is not {"id": …, "part": …, "parts": …}', 400)
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: partKey(message.data) }))
      const counts = countWords((await Body?.transformToString()) ?? '')
      const result: PartCounts = { counts: [...counts] }
      await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: countsKey(message.data),
          Body: JSON.stringify(result),
          ContentType: 'application/json',
        }),
      )
      return c.text('counted')
    } catch (error) {
      if (error instanceof NoSuchKey) return c.text('that part does not exist', 404)
      throw error
    }
  })
  // #endregion post
  // The message comes again.
  app.onError((error, c) => {
    log(error.message)
    return c.text('failed', 500)
  })
  return app
}

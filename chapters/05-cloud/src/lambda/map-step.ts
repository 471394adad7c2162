/**
 * The map step of wordcount for a batch of messages, each of which names a text. The counts go under a key that follows
 * from the text's, unless they are there already: a message that is delivered twice leaves what one leaves. A new text
 * therefore needs a new key.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import { z } from 'zod'
import { parseJson } from '../queues.ts'
import { putIfNew } from '../storage/put-if-new.ts'
import { countObjects } from '../wordcount/map-reduce.ts'
import type { QueueBatch, QueueBatchResult, QueueRecord } from './queue-batch.ts'

/** Only texts: whoever may send to the queue cannot have other objects read. */
const messageSchema = z.object({ key: z.string().startsWith('texts/').max(900) })

/** Where the counts of a text go. */
export function countsKey(key: string): string {
  return `counts/${key}.json`
}

/** What became of a message. */
export interface Counting {
  key: string
  result: 'counted' | 'was counted already'
}

export interface MapStepOptions {
  s3: S3Client
  bucket: string
  /** Gets every message that was done. */
  onDone: (counting: Counting) => void
  /** Gets why a message failed. */
  onFailed: (error: Error) => void
}

// #region batch
/** Counts the texts of a batch. Returns the messages that failed: only they come again. */
export async function countBatch(
  { Records }: QueueBatch,
  { s3, bucket, onDone, onFailed }: MapStepOptions,
): Promise<QueueBatchResult> {
  const batchItemFailures: QueueBatchResult['batchItemFailures'] = []
  const countText = async ({ body, messageId }: QueueRecord) => {
    try {
      const { key } = messageSchema.parse(parseJson(body))
      const job = { id: key, bucket, keys: [key], output: countsKey(key), repeat: 1 }
      const counts = await countObjects(s3, job, new AbortController().signal)
      const isNew = await putIfNew(s3, { bucket, key: job.output }, counts)
      onDone({ key, result: isNew ? 'counted' : 'was counted already' })
    } catch (error) {
      onFailed(error as Error)
      batchItemFailures.push({ itemIdentifier: messageId })
    }
  }
  await Promise.all(Records.map(countText))
  return { batchItemFailures }
}
// #endregion batch

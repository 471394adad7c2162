/**
 * The event source mapping between a queue and a function: Lambda's own part, which cannot be downloaded. It receives
 * batches, invokes the function, and deletes what the function did not report as failed. Nothing brings a failed message
 * back early: it is hidden until its visibility timeout ends. This one follows
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
import {
  DeleteMessageBatchCommand,
  type Message,
  type MessageSystemAttributeName,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { queueArn, soonAfter } from '../queues.ts'
import type { QueueBatch, QueueRecord } from './queue-batch.ts'

export interface MappingOptions {
  queueUrl: string
  /** The most messages in a batch; 10. */
  batchSize?: number
  /** The most invocations at once: Lambda's "maximum concurrency". */
  concurrency: number
  invoke: (batch: QueueBatch) => Promise<unknown>
  /** Gets every batch after it: the bodies of what was deleted, how many will come again, and why if all of them. */
  onBatch?: (batch: { deleted: string[]; failed: number; error: Error | undefined }) => void
  /** When aborted, the mapping waits for the batches that are under way, then ends. */
  signal: AbortSignal
}

const failureSchema = z.object({ itemIdentifier: z.string().min(1) })
const resultSchema = z.object({ batchItemFailures: z.array(failureSchema).nullish() }).nullish()

/**
 * Invokes the function with the messages of a queue until the signal is aborted.
 *
 * @throws an error when the queue fails
 */
export async function mapQueue(sqs: SQSClient, options: MappingOptions): Promise<void> {
  const { queueUrl, batchSize = 10, concurrency, onBatch, signal } = options
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  const hangUp = soonAfter(stop)
  const arn = await queueArn(sqs, queueUrl)
  const receive = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: batchSize,
    WaitTimeSeconds: 20,
    MessageSystemAttributeNames: ['All' satisfies MessageSystemAttributeName],
    MessageAttributeNames: ['All'],
  })
  // #region poll
  async function poll() {
    while (!stop.aborted) {
      const received = await sqs.send(receive, { abortSignal: hangUp }).catch((error) => {
        if (!stop.aborted) throw error
      })
      const records = (received?.Messages ?? []).map((message) => recordOf(message, arn))
      if (records.length === 0) continue
      const { failed: failures, error } = await failuresOf(records, options.invoke)
      const done = records.filter(({ messageId }) => !failures.has(messageId))
      // A message that was hidden for too short a time is refused here, and comes again.
      const Entries = done.map(({ messageId, receiptHandle }) => ({ Id: messageId, ReceiptHandle: receiptHandle }))
      if (done.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
      onBatch?.({ deleted: done.map(({ body }) => body), failed: failures.size, error })
    }
  }
  // #endregion poll
  const polling = Array.from({ length: concurrency }, () => poll().catch((error) => failed.abort(error)))
  await Promise.all(polling)
  failed.signal.throwIfAborted()
}

/** The messages of a batch that failed: all of them, if the function throws or its answer is not understood. */
async function failuresOf(records: QueueRecord[], invoke: MappingOptions['invoke']) {
  const all = new Set(records.map(({ messageId }) => messageId))
  try {
    const answer = resultSchema.parse(await invoke({ Records: records }))
    const named = new Set((answer?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier))
    if (!named.isSubsetOf(all)) throw new Error('the function names a message that it was not given')
    return { failed: named }
  } catch (error) {
    return { failed: all, error: error as Error }
  }
}

function recordOf(message: Message, eventSourceARN: string): QueueRecord {
  const { MessageId = '', ReceiptHandle = '', Body = '', Attributes = {}, MessageAttributes = {} } = message
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes: MessageAttributes,
    eventSource: 'aws:sqs',
    eventSourceARN,
  }
}

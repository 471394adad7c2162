/** What Lambda hands to a function behind a queue, and what it expects back. */

/** The event: up to ten messages, or more where the queue is given a time to fill the batch. */
export interface QueueBatch {
  Records: QueueRecord[]
}

/** A message, in Lambda's spelling. */
export interface QueueRecord {
  messageId: string
  receiptHandle: string
  body: string
  attributes: Record<string, string>
  messageAttributes: Record<string, unknown>
  eventSource: 'aws:sqs'
  eventSourceARN: string
}

/** The answer, with the messages that shall come again. With an empty list, all of them are deleted. */
export interface QueueBatchResult {
  batchItemFailures: { itemIdentifier: string }[]
}

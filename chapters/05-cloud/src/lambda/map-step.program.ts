/** The map step as a Lambda function behind a queue. It is deployed as it is; the stack and serverless bundle it. */
import { s3Client } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'
import { countBatch, type MapStepOptions } from './map-step.ts'
import type { QueueBatch, QueueBatchResult } from './queue-batch.ts'

// #region handler
// Once for each environment: this is a part of the cold start, and warm invocations find the connections open.
const { BUCKET: bucket = '' } = process.env
const options: MapStepOptions = {
  s3: s3Client(placesFromEnvironment().storage),
  bucket,
  // What a function prints is its log.
  onDone: (counting) => console.log(JSON.stringify(counting)),
  onFailed: ({ message }) => console.error(JSON.stringify({ error: message })),
}

/** What Lambda calls with each batch. */
export async function handler(batch: QueueBatch): Promise<QueueBatchResult> {
  return await countBatch(batch, options)
}
// #endregion handler

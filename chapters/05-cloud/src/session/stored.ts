/** Buckets and queues that the chapter's programs have left behind. Apart from leftovers.ts, which loads large SDKs. */
import type { Cloud } from '../cloud/clients.ts'
import type { Kind } from '../cloud/removal.ts'
import { deleteQueue, leftQueues } from '../queues.ts'
import { leftBuckets, type Options, removeBucket } from '../storage/buckets.ts'

export type StoredKind = 'queues' | 'buckets'

/** How to find and remove them. */
export function storedKinds({ s3, sqs }: Pick<Cloud, 's3' | 'sqs'>, { signal }: Options): Record<StoredKind, Kind> {
  return {
    queues: { find: () => leftQueues(sqs), remove: (url) => deleteQueue(sqs, url, signal) },
    buckets: { find: () => leftBuckets(s3), remove: (name) => removeBucket(s3, name, { signal }) },
  }
}

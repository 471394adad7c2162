/** Writing an object only if there is none yet: how two writers who know nothing of one another do not overwrite each other. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { CloudError } from '../cloud/errors.ts'
import type { Target } from './parts.ts'

const writerKey = 'writer'
const attempts = 5

/**
 * Stores an object unless there is one of that key. Of any number of writers, at the same time, one is told true.
 *
 * Not every store can do that, and some that cannot overwrite without a word: ask with `findFeatures`. There, looking first
 * and writing then is no way out, for somebody may write in between. Give each writer a key of its own instead.
 *
 * @returns whether it was this call that stored it
 * @throws NotImplemented where the store says that it cannot
 */
export async function putIfNew(
  s3: S3Client,
  { bucket, key }: Target,
  body: Uint8Array | string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const object = { Bucket: bucket, Key: key }
  const writer = randomUUID()
  const put = new PutObjectCommand({ ...object, Body: body, IfNoneMatch: '*', Metadata: { [writerKey]: writer } })
  for (let attempt = 1; ; attempt++) {
    try {
      await s3.send(put, { abortSignal: signal })
      return true
    } catch (error) {
      const status = (error as CloudError).$metadata?.httpStatusCode
      if (status === 412) break
      // Another writer is at it in this moment, and may yet fail.
      if (status !== 409 || attempt === attempts) throw error
      await delay(100 * 2 ** attempt * Math.random(), undefined, { signal })
    }
  }
  // Where only the answer was lost, the SDK has asked again, and what is there is ours.
  const { Metadata } = await s3.send(new HeadObjectCommand(object), { abortSignal: signal })
  return Metadata?.[writerKey] === writer
}

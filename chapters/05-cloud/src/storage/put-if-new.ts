/** Writes an object only if it does not exist yet: writers that do not know each other then overwrite nothing. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { CloudError } from '../cloud/errors.ts'
import type { Target } from './parts.ts'

const writerKey = 'writer'
const attempts = 5

/**
 * Stores an object unless the key is taken. However many writers try at the same time, only one gets true.
 *
 * Not every store can do this, and some overwrite without a word: ask `findFeatures`. Looking first and then writing
 * does not help there, because somebody may write in between. Give each writer its own key instead.
 *
 * @returns whether this call stored the object
 * @throws NotImplemented where the store says that it cannot do this
 */
export async function putIfNew(
  s3: S3Client,
  { bucket, key }: Target,
  body: Uint8Array | string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const object = { Bucket: bucket, Key: key }
  const writer = randomUUID()
  // #region attempts
  const put = new PutObjectCommand({ ...object, Body: body, IfNoneMatch: '*', Metadata: { [writerKey]: writer } })
  for (let attempt = 1; ; attempt++) {
    try {
      await s3.send(put, { abortSignal: signal })
      return true
    } catch (error) {
      const status = (error as CloudError).$metadata?.httpStatusCode
      if (status === 412) break
      // Another writer is writing at this moment, and may still fail.
      if (status !== 409 || attempt === attempts) throw error
      await delay(100 * 2 ** attempt * Math.random(), undefined, { signal })
    }
  }
  // #endregion attempts
  // Perhaps only our answer was lost, and the SDK has repeated the request. Then the object is ours.
  const { Metadata } = await s3.send(new HeadObjectCommand(object), { abortSignal: signal })
  return Metadata?.[writerKey] === writer
}

/**
 * Creates buckets that the public cannot read and that do not cost money for ever, and removes them with their content.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  type _Object as ListedObject,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutPublicAccessBlockCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import { accepting } from '@repo/common/example/options'
import pLimit from 'p-limit'
import type { CloudError } from '../cloud/errors.ts'
import { isOwnName, ownName, ownPrefix, tagKey, tagValue } from '../cloud/ownership.ts'
import { unlessGone } from '../cloud/removal.ts'

/** The option with which a reader names a bucket. */
export const bucketOption = accepting(
  `a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends, and not ${ownPrefix}…, which is removed when examples clean up`,
  (text) =>
    /^(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !isOwnName(text)
      ? text
      : undefined,
)

export interface Options {
  signal?: AbortSignal | undefined
}

/**
 * Creates a bucket unless it exists already; the settings of an existing bucket stay as they are. A new bucket blocks
 * public access and removes unfinished uploads after a day, where the store supports that.
 *
 * @returns whether the bucket is new
 * @throws an error when the name is taken or is not valid
 */
export async function makeBucket(s3: S3Client, bucket: string, { signal }: Options = {}): Promise<boolean> {
  // Ask first: in us-east-1, creating your own bucket again is not an error, and we would change its settings.
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal })
    return false
  } catch (cause) {
    const status = (cause as CloudError).$metadata?.httpStatusCode
    // The answer to a HEAD request has no text.
    if (status === 403) {
      throw new Error(
        `bucket ${bucket} is somebody else's or closed to these credentials: choose another with --bucket`,
      )
    }
    if (status !== 404) throw cause
  }
  await createBucket(s3, bucket, { signal })
  return true
}

/** Creates a bucket with all its settings. If a setting fails, no bucket is left. */
async function createBucket(
  s3: S3Client,
  bucket: string,
  { signal, temporary = false }: Options & { temporary?: boolean },
): Promise<void> {
  const region = await s3.config.region()
  // In us-east-1 the request must not name the region.
  const location =
    region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }
  signal?.throwIfAborted()
  // Without the signal: after an aborted request we would not know whether the bucket exists.
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket, ...location }))
  } catch (error) {
    // Our own first request created it: its answer was lost, and the SDK has repeated the request.
    if ((error as CloudError).name !== 'BucketAlreadyOwnedByYou') {
      // Perhaps every answer was lost. No other bucket has a name of a run.
      if (temporary) await removeBucket(s3, bucket).catch(() => {})
      throw error
    }
  }
  try {
    await configure(s3, bucket, { signal, temporary })
  } catch (error) {
    await removeBucket(s3, bucket).catch(() => {})
    throw error
  }
}

async function configure(
  s3: S3Client,
  bucket: string,
  { signal, temporary }: Options & { temporary: boolean },
): Promise<void> {
  const send = { abortSignal: signal }
  const everything = {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  }
  await whereSupported(() =>
    s3.send(new PutPublicAccessBlockCommand({ Bucket: bucket, PublicAccessBlockConfiguration: everything }), send),
  )
  const rule = {
    ID: 'what-is-left',
    Status: 'Enabled' as const,
    Filter: { Prefix: '' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    // Removes its objects after a day, even if the program is killed.
    ...(temporary && { Expiration: { Days: 1 } }),
  }
  await whereSupported(() =>
    s3.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules: [rule] } }),
      send,
    ),
  )
  await whereSupported(() =>
    s3.send(
      new PutBucketTaggingCommand({ Bucket: bucket, Tagging: { TagSet: [{ Key: tagKey, Value: tagValue }] } }),
      send,
    ),
  )
}

/** The error codes with which stores refuse a request that they do not know. */
const unsupported = ['NotImplemented', 'MethodNotAllowed', 'MalformedXML', 'InvalidRequest', 'UnsupportedOperation']

/** Whether the store knew the request. Throws all other errors. */
async function whereSupported(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request()
    return true
  } catch (error) {
    const { name, $metadata } = error as CloudError
    if (unsupported.includes(name) || [405, 501].includes($metadata?.httpStatusCode ?? 0)) return false
    throw error
  }
}

/**
 * Yields the objects whose keys begin with a prefix, in the order of their keys. Requests each page when it is needed.
 */
export async function* listObjects(
  s3: S3Client,
  bucket: string,
  prefix = '',
  { signal, pageSize = 1000 }: Options & { pageSize?: number } = {},
): AsyncGenerator<Required<Pick<ListedObject, 'Key' | 'Size' | 'ETag'>>, void> {
  const pages = paginateListObjectsV2(
    { client: s3, pageSize },
    { Bucket: bucket, Prefix: prefix },
    { abortSignal: signal },
  )
  for await (const { Contents = [] } of pages) {
    for (const { Key = '', Size = 0, ETag = '' } of Contents) yield { Key, Size, ETag }
  }
}

/** Deletes all objects with a prefix, and aborts unfinished uploads to such keys. Returns the number of objects. */
export async function deletePrefix(
  s3: S3Client,
  bucket: string,
  prefix: string,
  { signal }: Options = {},
): Promise<number> {
  await abortUploads(s3, bucket, prefix, signal)
  const send = { abortSignal: signal }
  const limit = pLimit(16)
  let deleted = 0
  let page: { Key: string }[] = []
  const deletePage = async () => {
    const keys = page
    page = []
    if (keys.length === 0) return
    const together = await whereSupported(async () => {
      const { Errors = [] } = await s3.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys, Quiet: true } }),
        send,
      )
      const [first] = Errors
      if (first) throw new Error(`${first.Key} of ${bucket} cannot be deleted: ${first.Code}: ${first.Message}`)
    })
    // Swift and some others want a Content-MD5 with the list. The SDK no longer sends one.
    if (!together) await limit.map(keys, ({ Key }) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }), send))
    deleted += keys.length
  }
  for await (const { Key } of listObjects(s3, bucket, prefix, { signal })) {
    // One request may name a thousand keys.
    if (page.push({ Key }) === 1000) await deletePage()
  }
  await deletePage()
  return deleted
}

/** Aborts unfinished uploads to keys with a prefix. Their parts cost as much as objects do. */
async function abortUploads(s3: S3Client, bucket: string, prefix: string, signal?: AbortSignal): Promise<void> {
  const send = { abortSignal: signal }
  for (let more: { KeyMarker?: string; UploadIdMarker?: string | undefined } | undefined = {}; more; ) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...more }),
      send,
    )
    for (const { Key, UploadId } of page.Uploads ?? []) {
      await unlessGone(s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), send))
    }
    const { NextKeyMarker, NextUploadIdMarker } = page
    more =
      page.IsTruncated && NextKeyMarker ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined
  }
}

/** Deletes a bucket with everything in it. Does nothing when the bucket does not exist. */
export async function removeBucket(s3: S3Client, bucket: string, { signal }: Options = {}): Promise<void> {
  const remove = async () => {
    await deletePrefix(s3, bucket, '', { signal })
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }), { abortSignal: signal })
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await unlessGone(remove()))
    } catch (error) {
      // A store may still carry out a request that was aborted, after it has listed what there is.
      if ((error as CloudError).name !== 'BucketNotEmpty' || attempt === 5) throw error
      await delay(100 * 2 ** attempt, undefined, { signal })
    }
  }
}

/** The names of buckets that killed programs of this chapter have left behind. */
export async function leftBuckets(s3: S3Client): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand())
  return Buckets.flatMap(({ Name = '' }) => (isOwnName(Name) ? [Name] : []))
}

/** Creates a bucket for one run. Disposing of it removes it with everything in it. */
export async function temporaryBucket(
  s3: S3Client,
  { signal }: Options = {},
): Promise<AsyncDisposable & { name: string }> {
  const name = ownName()
  await createBucket(s3, name, { signal, temporary: true })
  return { name, [Symbol.asyncDispose]: () => removeBucket(s3, name) }
}

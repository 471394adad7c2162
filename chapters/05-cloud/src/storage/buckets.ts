/** Buckets: made so that they can neither be read by the public nor cost for ever, and removed with all that is in them. */
import { randomBytes } from 'node:crypto'
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
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { accepting } from '@repo/common/example/options'
import pLimit from 'p-limit'
import type { CloudError } from '../cloud/errors.ts'
import { tagKey, tagValue } from '../cloud/tag.ts'

/** What the names of the buckets and queues begin with that the chapter's programs make for themselves. */
export const ownPrefix = 'distributed-computing-'

/** A name that nobody else has: bucket names are shared by all accounts of a cloud. */
export function ownName(): string {
  return `${ownPrefix}${randomBytes(6).toString('hex')}`
}

/** Whether `ownName` made a name. Names of the reader's own may begin in the same way: nothing is removed by its beginning. */
export function isOwnName(name: string): boolean {
  return name.startsWith(ownPrefix) && /^[0-9a-f]{12}$/.test(name.slice(ownPrefix.length))
}

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
 * Makes a bucket, or uses the one that is there as it is. In a new one public access is blocked and unfinished uploads are
 * removed after a day, where the store can do that.
 *
 * @returns whether it is new
 * @throws an error when the name is taken or is not valid
 */
export async function makeBucket(s3: S3Client, bucket: string, { signal }: Options = {}): Promise<boolean> {
  // Asked first: in us-east-1 it is no error to create a bucket of one's own again, and its settings are its owner's.
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal })
    return false
  } catch (cause) {
    const status = (cause as CloudError).$metadata?.httpStatusCode
    // The answer to such a question has no text.
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

/** Creates a bucket with all its settings, or none. */
async function createBucket(
  s3: S3Client,
  bucket: string,
  { signal, temporary = false }: Options & { temporary?: boolean },
): Promise<void> {
  const region = await s3.config.region()
  // us-east-1 is the region in which none is to be named.
  const location =
    region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }
  signal?.throwIfAborted()
  // Without the signal: nobody would know whether a bucket whose creation was broken off is there.
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket, ...location }))
  } catch (error) {
    // It was not there: the answer was lost, and the SDK has asked again for what was already done.
    if ((error as CloudError).name !== 'BucketAlreadyOwnedByYou') throw error
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
    // Its objects are removed after a day even where the program is killed.
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

/** How stores say that they do not know a request. */
const unsupported = ['NotImplemented', 'MethodNotAllowed', 'MalformedXML', 'InvalidRequest', 'UnsupportedOperation']

/** Whether the store knew the request; other errors are thrown. */
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

/** The objects whose keys begin with a prefix, in the order of their keys, page by page as the reader of them goes on. */
export async function* listObjects(
  s3: S3Client,
  bucket: string,
  prefix = '',
  { signal, pageSize = 1000 }: Options & { pageSize?: number } = {},
): AsyncGenerator<Required<Pick<ListedObject, 'Key' | 'Size' | 'ETag'>>, void> {
  for (let token: string | undefined; ; ) {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: pageSize, ContinuationToken: token }),
      { abortSignal: signal },
    )
    for (const { Key = '', Size = 0, ETag = '' } of page.Contents ?? []) yield { Key, Size, ETag }
    token = page.NextContinuationToken
    if (!page.IsTruncated || token === undefined) return
  }
}

/** Deletes all objects whose keys begin with a prefix, and unfinished uploads to such keys. Returns how many objects. */
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
    // Some stores, such as Swift, want a Content-MD5 with the list, which the SDK no longer sends.
    if (!together) await limit.map(keys, ({ Key }) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }), send))
    deleted += keys.length
  }
  for await (const { Key } of listObjects(s3, bucket, prefix, { signal })) {
    // As many as one request may name.
    if (page.push({ Key }) === 1000) await deletePage()
  }
  await deletePage()
  return deleted
}

/** Aborts the uploads in parts to keys that begin with a prefix; their parts cost as much as objects do. */
async function abortUploads(s3: S3Client, bucket: string, prefix: string, signal?: AbortSignal): Promise<void> {
  const send = { abortSignal: signal }
  for (let more: { KeyMarker?: string; UploadIdMarker?: string | undefined } | undefined = {}; more; ) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...more }),
      send,
    )
    for (const { Key, UploadId } of page.Uploads ?? []) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), send)
    }
    const { NextKeyMarker, NextUploadIdMarker } = page
    more =
      page.IsTruncated && NextKeyMarker ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined
  }
}

/** Deletes a bucket with all that is in it. Does nothing when there is none. */
export async function removeBucket(s3: S3Client, bucket: string, { signal }: Options = {}): Promise<void> {
  try {
    await deletePrefix(s3, bucket, '', { signal })
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }), { abortSignal: signal })
  } catch (error) {
    if ((error as CloudError).name !== 'NoSuchBucket') throw error
  }
}

/** The buckets that programs of this chapter made for one run and did not live to remove. */
export async function leftBuckets(s3: S3Client): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand())
  return Buckets.flatMap(({ Name = '' }) => (isOwnName(Name) ? [Name] : []))
}

/** A bucket for one run; disposing of it removes it with all that is in it. */
export async function temporaryBucket(
  s3: S3Client,
  { signal }: Options = {},
): Promise<AsyncDisposable & { name: string }> {
  const name = ownName()
  await createBucket(s3, name, { signal, temporary: true })
  return { name, [Symbol.asyncDispose]: () => removeBucket(s3, name) }
}

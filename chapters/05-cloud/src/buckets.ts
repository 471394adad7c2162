/** Buckets: made so that they can neither be read by the public nor cost for ever, and removed with all that is in them. */
import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
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
import { accepting } from '@repo/common/options'
import pLimit from 'p-limit'
import type { CloudError } from './errors.ts'
import { tagKey, tagValue } from './tag.ts'

/** What the names of the buckets and queues begin with that the chapter's programs make for themselves. */
export const ownPrefix = 'distributed-computing-'

/** A name that nobody else has: bucket names are shared by all accounts of a cloud. */
export function ownName(): string {
  return `${ownPrefix}${randomBytes(6).toString('hex')}`
}

/** The option with which a reader names a bucket. */
export const bucketOption = accepting(
  'a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends',
  (text) => (/^(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) ? text : undefined),
)

export interface BucketOptions {
  signal?: AbortSignal | undefined
  /** For a bucket of one run: its objects are removed after a day even where the program is killed. */
  temporary?: boolean
}

/**
 * Makes a bucket, or uses the one that is there if it is ours. Public access is blocked and unfinished uploads are removed
 * after a day, where the store can do that.
 *
 * @returns whether it is new
 * @throws the SDK's error when the name is taken or is not valid
 */
export async function makeBucket(s3: S3Client, bucket: string, options: BucketOptions = {}): Promise<boolean> {
  const { signal, temporary = false } = options
  const send = { abortSignal: signal }
  const region = await s3.config.region()
  // us-east-1 is the region in which none is to be named.
  const location =
    region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket, ...location }), send)
  } catch (error) {
    if ((error as CloudError).name === 'BucketAlreadyOwnedByYou') return false
    throw error
  }
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
  return true
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
  { signal, pageSize = 1000 }: { signal?: AbortSignal | undefined; pageSize?: number } = {},
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
export async function deletePrefix(s3: S3Client, bucket: string, prefix: string): Promise<number> {
  await abortUploads(s3, bucket, prefix)
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
      )
      const [first] = Errors
      if (first) throw new Error(`${first.Key} of ${bucket} cannot be deleted: ${first.Code}: ${first.Message}`)
    })
    // Some stores, such as Swift, want a Content-MD5 with the list, which the SDK no longer sends.
    if (!together) await limit.map(keys, ({ Key }) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key })))
    deleted += keys.length
  }
  for await (const { Key } of listObjects(s3, bucket, prefix)) {
    // As many as one request may name.
    if (page.push({ Key }) === 1000) await deletePage()
  }
  await deletePage()
  return deleted
}

/** Aborts the uploads in parts to keys that begin with a prefix; their parts cost as much as objects do. Returns how many. */
async function abortUploads(s3: S3Client, bucket: string, prefix: string): Promise<number> {
  let aborted = 0
  for (let more: { KeyMarker?: string; UploadIdMarker?: string | undefined } | undefined = {}; more; ) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...more }),
    )
    for (const { Key, UploadId } of page.Uploads ?? []) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
      aborted++
    }
    const { NextKeyMarker, NextUploadIdMarker } = page
    more =
      page.IsTruncated && NextKeyMarker ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined
  }
  return aborted
}

/** Deletes a bucket with all that is in it. Does nothing when there is none. */
export async function removeBucket(s3: S3Client, bucket: string): Promise<void> {
  try {
    await deletePrefix(s3, bucket, '')
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }))
  } catch (error) {
    if ((error as CloudError).name !== 'NoSuchBucket') throw error
  }
}

/** The buckets that programs of this chapter made for one run and did not live to remove. */
export async function leftBuckets(s3: S3Client): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand())
  return Buckets.flatMap(({ Name = '' }) => (Name.startsWith(ownPrefix) ? [Name] : []))
}

/** A bucket for one run; disposing of it removes it with all that is in it. */
export async function temporaryBucket(
  s3: S3Client,
  options: BucketOptions = {},
): Promise<AsyncDisposable & { name: string }> {
  const name = ownName()
  await makeBucket(s3, name, { ...options, temporary: true })
  return { name, [Symbol.asyncDispose]: () => removeBucket(s3, name) }
}

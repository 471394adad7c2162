/**
 * Finds out what a store can do by asking it. Every store that calls itself S3-compatible leaves something out, and
 * some answer "done" to a request that they did not understand. So each probe checks the effect, not the answer.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { CloudError } from '../cloud/errors.ts'
import { unlessGone } from '../cloud/removal.ts'
import { temporaryBucket } from './buckets.ts'

export interface Feature {
  name: string
  /** What a program does where it is missing. */
  without: string
  there: boolean
  /** Why it is missing: the store's error code, or `no effect`. */
  because?: string
}

type Probe = (store: { s3: S3Client; bucket: string }) => Promise<boolean>

const key = 'features/object'
const body = Buffer.from('What can you do?')

/** Each probe returns whether the feature has an effect. An error means that the store refuses the request. */
const probes: { name: string; without: string; probe: Probe }[] = [
  {
    name: 'ranges of an object',
    without: 'no resumed or parallel downloads',
    async probe({ s3, bucket: Bucket }) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key, Range: 'bytes=5-7' }))
      return (await Body?.transformToString()) === 'can'
    },
  },
  {
    name: 'metadata of your own',
    without: 'readers must know the size of parts',
    async probe({ s3, bucket: Bucket }) {
      await s3.send(new PutObjectCommand({ Bucket, Key: `${key}-metadata`, Body: body, Metadata: { colour: 'blue' } }))
      const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key: `${key}-metadata` }))
      return Metadata?.colour === 'blue'
    },
  },
  {
    name: 'checksums (CRC-32) kept',
    without: 'downloads are checked against the ETag, an MD5',
    async probe({ s3, bucket: Bucket }) {
      const { ChecksumCRC32 } = await s3.send(new HeadObjectCommand({ Bucket, Key: key, ChecksumMode: 'ENABLED' }))
      return ChecksumCRC32 !== undefined
    },
  },
  {
    // #region wrong-checksum
    name: 'wrong checksums refused',
    without: 'uploads are checked against the ETag of the answer',
    probe: ({ s3, bucket: Bucket }) =>
      refused(400, () =>
        s3.send(new PutObjectCommand({ Bucket, Key: `${key}-wrong`, Body: body, ChecksumCRC32: 'AAAAAA==' })),
      ),
    // #endregion wrong-checksum
  },
  {
    name: 'write only if new',
    without: 'two writers may overwrite each other',
    probe: ({ s3, bucket: Bucket }) =>
      refused(412, () => s3.send(new PutObjectCommand({ Bucket, Key: key, Body: body, IfNoneMatch: '*' }))),
  },
  {
    name: 'write only if unchanged',
    without: 'keep counters and locks elsewhere',
    probe: ({ s3, bucket: Bucket }) =>
      refused(412, () =>
        s3.send(new PutObjectCommand({ Bucket, Key: key, Body: body, IfMatch: '"0123456789abcdef0123456789abcdef"' })),
      ),
  },
  {
    name: 'read only if unchanged',
    without: 'an object replaced while it is read is noticed late',
    probe: ({ s3, bucket: Bucket }) =>
      refused(412, () =>
        s3.send(new GetObjectCommand({ Bucket, Key: key, IfMatch: '"0123456789abcdef0123456789abcdef"' })),
      ),
  },
  {
    name: 'upload in parts',
    without: 'nothing larger than one request',
    async probe({ s3, bucket: Bucket }) {
      const upload = { Bucket, Key: `${key}-parts` }
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload))
      const { ETag } = await s3.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: body }))
      const Parts = [{ PartNumber: 1, ETag }]
      // If the answer was lost, the upload is no longer known when the SDK asks again.
      await unlessGone(s3.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } })))
      return (await s3.send(new HeadObjectCommand(upload))).ContentLength === body.length
    },
  },
  {
    name: 'list unfinished uploads',
    without: 'a journal of your own must list them',
    async probe({ s3, bucket: Bucket }) {
      const upload = { Bucket, Key: `${key}-unfinished` }
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload))
      await s3.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: body }))
      try {
        const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
        const { Parts = [] } = await s3.send(new ListPartsCommand({ ...upload, UploadId }))
        return Uploads.some((listed) => listed.UploadId === UploadId) && Parts.length === 1
      } finally {
        await unlessGone(s3.send(new AbortMultipartUploadCommand({ ...upload, UploadId })))
      }
    },
  },
  {
    name: 'delete many at once',
    without: 'one request per object',
    async probe({ s3, bucket: Bucket }) {
      await s3.send(new PutObjectCommand({ Bucket, Key: `${key}-old`, Body: body }))
      await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: `${key}-old` }] } }))
      return await refused(404, () => s3.send(new HeadObjectCommand({ Bucket, Key: `${key}-old` })))
    },
  },
  {
    name: 'copy in the store',
    without: 'download and upload',
    async probe({ s3, bucket: Bucket }) {
      await s3.send(new CopyObjectCommand({ Bucket, Key: `${key}-copy`, CopySource: `${Bucket}/${key}` }))
      return (await s3.send(new HeadObjectCommand({ Bucket, Key: `${key}-copy` }))).ContentLength === body.length
    },
  },
  {
    name: 'presigned URLs',
    without: 'every reader of an object needs credentials',
    async probe({ s3, bucket: Bucket }) {
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: key }), { expiresIn: 60 })
      const [good, forged] = [await fetchPatiently(url), await fetchPatiently(url.replace('Expires=60', 'Expires=61'))]
      return good.text === body.toString() && forged.status === 403
    },
  },
  {
    name: 'public access blocked',
    without: 'watch who may read a bucket',
    async probe({ s3, bucket: Bucket }) {
      const PublicAccessBlockConfiguration = { BlockPublicAcls: true, BlockPublicPolicy: true }
      await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }))
      const kept = await s3.send(new GetPublicAccessBlockCommand({ Bucket }))
      return kept.PublicAccessBlockConfiguration?.BlockPublicPolicy === true
    },
  },
  {
    name: 'lifecycle rules kept',
    without: 'remove old objects yourself',
    async probe({ s3, bucket: Bucket }) {
      const rule = {
        ID: 'feature',
        Status: 'Enabled' as const,
        Filter: { Prefix: 'features/' },
        Expiration: { Days: 1 },
      }
      await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [rule] } }))
      const { Rules = [] } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
      return Rules.some(({ ID }) => ID === 'feature')
    },
  },
  {
    name: 'tags on a bucket',
    without: 'the name says what belongs to whom',
    async probe({ s3, bucket: Bucket }) {
      const TagSet = [{ Key: 'colour', Value: 'blue' }]
      await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }))
      return (await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet?.[0]?.Value === 'blue'
    },
  },
  {
    name: 'versions of an object',
    without: 'what is overwritten is lost',
    async probe({ s3 }) {
      // Deleting the objects of a bucket with versions does not empty it. So this bucket stays empty.
      await using own = await temporaryBucket(s3)
      const Bucket = own.name
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
      return (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status === 'Enabled'
    },
  },
]

// #region refused
/** Whether the store refuses a request with this status. Any other refusal has another reason, and is thrown. */
async function refused(status: number, request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request()
    return false
  } catch (error) {
    if ((error as CloudError).$metadata?.httpStatusCode !== status) throw error
    return true
  }
}
// #endregion refused

/** Fetches a URL, again after a lost connection and when the store is busy, as the SDK does for other requests. */
async function fetchPatiently(url: string): Promise<{ status: number; text: string }> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(url)
      const text = await answer.text()
      if (answer.status < 500 || attempt === 5) return { status: answer.status, text }
    } catch (error) {
      if (attempt === 5) throw error
    }
    await delay(50 * 2 ** attempt * Math.random())
  }
}

/** The statuses with which a store that is too busy answers. They say nothing about what it can do. */
const busy = [429, 503]

/**
 * Probes a store for each feature in turn, in a bucket that it may change at will.
 *
 * @throws when the store cannot be reached, or is too busy
 */
export async function findFeatures(
  s3: S3Client,
  bucket: string,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<Feature[]> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))
  const features: Feature[] = []
  for (const { name, without, probe } of probes) {
    signal?.throwIfAborted()
    try {
      const there = await probe({ s3, bucket })
      features.push({ name, without, there, ...(!there && { because: 'no effect' }) })
    } catch (error) {
      const { name: code, $metadata } = error as CloudError
      // The store did not answer.
      if (!$metadata?.httpStatusCode || busy.includes($metadata.httpStatusCode)) throw error
      features.push({ name, without, there: false, because: code })
    }
    onProgress?.(features.length, probes.length)
  }
  return features
}

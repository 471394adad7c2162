/** The smaller things one does with a bucket: metadata, ranges, presigned URLs, pages, conditions. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { deletePrefix, listObjects } from './buckets.ts'
import { findFeatures } from './features.ts'
import { putIfNew } from './put-if-new.ts'

export interface Walk {
  key: string
  /** Bytes 4 to 6 of it, and who wrote it, from its metadata. */
  range: string | undefined
  author: string | undefined
  /** What was fetched without credentials. */
  presigned: string
  /** Objects that were listed in pages of 100, and then deleted. */
  listed: number
  deleted: number
  /** Which of some features that not all stores have this one has. */
  features: { name: string; there: boolean }[]
  /** What each of two writers was told that would write the same object only if it is new; undefined where the store cannot do that. */
  wrote: boolean[] | undefined
}

const writeOnce = 'write only if new'
const wanted = ['public access blocked', 'lifecycle rules kept']

/** Walks through a bucket, and deletes the objects whose keys begin with the prefix. */
export async function walkThrough(s3: S3Client, bucket: string, prefix: string, signal: AbortSignal): Promise<Walk> {
  const send = { abortSignal: signal }
  const key = 'notes/today.txt'
  const object = { Bucket: bucket, Key: key }
  const note = { Body: 'one two three', ContentType: 'text/plain', Metadata: { author: 'me' } }
  await s3.send(new PutObjectCommand({ ...object, ...note }), send)
  const range = await s3.send(new GetObjectCommand({ ...object, Range: 'bytes=4-6' }), send)
  const url = await getSignedUrl(s3, new GetObjectCommand(object), { expiresIn: 60 })
  const listed = await Array.fromAsync(listObjects(s3, bucket, prefix, { signal, pageSize: 100 }))
  const features = await findFeatures(s3, bucket, { signal })
  const canWriteOnce = features.some(({ name, there }) => name === writeOnce && there)
  const write = (writer: string) => putIfNew(s3, { bucket, key: 'notes/first' }, writer, { signal })
  return {
    key,
    range: await range.Body?.transformToString(),
    author: range.Metadata?.author,
    presigned: await (await fetch(url, { signal })).text(),
    listed: listed.length,
    deleted: await deletePrefix(s3, bucket, prefix, { signal }),
    features: features.filter(({ name }) => wanted.includes(name)),
    wrote: canWriteOnce ? await Promise.all(['one', 'another'].map(write)) : undefined,
  }
}

/** The State of the Union addresses as objects in a bucket. */
import { hash } from 'node:crypto'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { type Address, stateOfTheUnion } from '@repo/common/workloads/texts'
import { listObjects } from '../storage/buckets.ts'
import { forMany } from '../storage/many.ts'

import { addCounts, type Counts, countWords } from './words.ts'

const prefix = 'texts/'

export interface StoredText {
  key: string
  bytes: number
}

/** The key of an address, such as `texts/1790-george-washington.txt`. */
export function addressKey({ year, name }: Address): string {
  return `${prefix}${year}-${name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}.txt`
}

/** The decade of an address, from its key: 1790 for `texts/1794-…`. */
export function decadeOf(key: string): number {
  return 10 * Math.floor(Number(key.slice(prefix.length, prefix.length + 4)) / 10)
}

export interface UploadOptions {
  signal?: AbortSignal | undefined
  onProgress?: (share: number) => void
  /** How many addresses, from the first; all 233. */
  most?: number
}

/**
 * Uploads the addresses that the bucket lacks. One request lists the objects with their ETags. The ETag of an object
 * that was stored in one piece is its MD5.
 *
 * @returns all addresses, and how many were sent
 */
export async function uploadAddresses(
  s3: S3Client,
  bucket: string,
  { signal, onProgress, most }: UploadOptions = {},
): Promise<{ texts: StoredText[]; uploaded: number }> {
  const there = new Map<string, string>()
  for await (const { Key, ETag } of listObjects(s3, bucket, prefix, { signal }))
    there.set(Key, ETag.replaceAll('"', ''))
  const texts = stateOfTheUnion()
    .slice(0, most)
    .map((address) => ({ key: addressKey(address), body: Buffer.from(address.text) }))
  const missing = texts.filter(({ key, body }) => there.get(key) !== hash('md5', body))
  await forMany(
    missing,
    { concurrency: 32, signal, onProgress: (done) => onProgress?.(done / missing.length) },
    ({ key, body }, stop) =>
      s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: body,

          ContentType: 'text/plain; charset=utf-8',
        }),
        { abortSignal: stop },
      ),
  )
  return { texts: texts.map(({ key, body }) => ({ key, bytes: body.length })), uploaded: missing.length }
}

/** Counts the words of the addresses in one pass in this thread. Every other way must give the same result. */
export function countHere(most?: number): { counts: Counts; ms: number } {
  const addresses = stateOfTheUnion().slice(0, most)
  const start = performance.now()
  const counts: Counts = new Map()
  for (const { text } of addresses) addCounts(counts, countWords(text))
  return { counts, ms: performance.now() - start }
}

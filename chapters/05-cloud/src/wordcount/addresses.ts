/** The State of the Union addresses as objects in a bucket. */
import { hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { type Address, stateOfTheUnion } from '@repo/common/workloads/texts'
import { listObjects } from '../storage/buckets.ts'
import { forMany } from '../storage/many.ts'
import { WordCounter } from './word-counter.ts'
import type { Counts } from './words.ts'

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
  const texts = objectsOf(most)
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

/** The addresses as they are stored. */
function objectsOf(most?: number): { key: string; body: Buffer }[] {
  return stateOfTheUnion()
    .slice(0, most)
    .map((address) => ({ key: addressKey(address), body: Buffer.from(address.text) }))
}

export interface PlainOptions {
  /** As often as the workers count each text. */
  repeat?: number
  /** How many addresses, from the first; all 233. */
  most?: number
  signal?: AbortSignal
}

/**
 * The best plain program on one thread for the counting that the workers share; every other way must give the same result.
 * It has the texts in memory, which the workers have to fetch. It yields to the event loop now and then, so that Ctrl-C ends it.
 *
 * @returns its result, and how long it took
 */
export async function countAlone({
  repeat = 1,
  most,
  signal,
}: PlainOptions = {}): Promise<{ counts: Counts; ms: number }> {
  const objects = objectsOf(most)
  const start = performance.now()
  const [counter, again] = [new WordCounter(), new WordCounter()]
  let pause = start
  for (const { body } of objects) {
    for (let round = 1; round < repeat; round++) again.add(body)
    counter.add(body)
    if (performance.now() < pause + 50) continue
    await setImmediate(undefined, { signal })
    pause = performance.now()
  }
  const counts = counter.counts()
  return { counts, ms: performance.now() - start }
}

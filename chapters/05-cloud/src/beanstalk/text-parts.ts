/**
 * How the two tiers share the work. A text is stored in a bucket as parts, and each part has a message in a queue. The
 * counts of a part go into the same bucket. So the text's id is enough to find out how much of it is counted.
 */
import { randomUUID } from 'node:crypto'
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import pLimit from 'p-limit'
import { sendAll } from '../queues.ts'
import { listObjects } from '../storage/buckets.ts'
import { addCounts, type Counts, topWords, wordsIn } from '../wordcount/words.ts'

/** The body of a message: the part to count. */
export interface TextPart {
  /** The id of the text, a UUID. */
  id: string
  part: number
  /** How many parts the text has. */
  parts: number
}

/** The result for a part. */
export interface PartCounts {
  counts: [word: string, count: number][]
}

/** The prefix of the keys of all parts of a text. */
export const partsOf = (id: string) => `texts/${id}/`

/** The prefix of the keys of all counts of a text. */
export const countsOf = (id: string) => `counts/${id}/`

/** The key of a part. It says how many there are: the store deletes old texts part by part, and not all at once. */
export const partKey = ({ id, part, parts }: TextPart) => `${partsOf(id)}${part}-of-${parts}`

/** The key of a part's counts. It is always the same for a part, so counting twice changes nothing. */
export const countsKey = ({ id, part }: TextPart) => `${countsOf(id)}${part}`

/** The most bytes of a text that the web tier takes. */
export const largestText = 5_000_000

const mostParts = 200
const smallestPart = 10_000

/** No word is as long as this. Scripts without spaces have longer runs of letters. */
const longestWord = 1_000

/** Cuts a text between words into at most 200 parts of about 10,000 characters or more. */
export function splitText(text: string): string[] {
  const size = Math.max(smallestPart, Math.ceil(text.length / mostParts))
  const parts: string[] = []
  for (let start = 0; start < text.length; ) {
    const end = start + size < text.length ? endOfWord(text, start + size) : text.length
    parts.push(text.slice(start, end))
    start = end
  }
  return parts
}

/** Where to cut a text, at a place or behind it: after the next space; without one, before the next sign. */
function endOfWord(text: string, at: number): number {
  // JavaScript takes the mark at the beginning of a file for a space. Within a text, it is within a word.
  const space = text.slice(at - 1, at + longestWord).search(/[^\S\ufeff]/)
  if (space >= 0) return at + space
  // Half a character, where the place is in the middle of one, counts as a letter, and so do soft hyphens.
  const sign = text.slice(at).search(/[^\p{L}\p{M}\p{Cs}\p{Cf}'’]/u)
  return sign >= 0 ? at + sign : text.length
}

export interface Shared {
  s3: S3Client
  sqs: SQSClient
  bucket: string
  queueUrl: string
}

/** The state of a text. */
export interface TextStatus {
  id: string
  parts: number
  counted: number
  /** The totals, once all parts are counted. */
  words?: number
  distinct?: number
  /** The ten most frequent words. */
  top?: { word: string; count: number }[]
}

const requestsAtOnce = 16

/** Stores a text, then sends its messages: a worker that gets a message finds the part. */
export async function submitText({ s3, sqs, bucket, queueUrl }: Shared, text: string): Promise<TextStatus> {
  const id = randomUUID()
  const texts = splitText(text)
  const parts = texts.length
  await pLimit(requestsAtOnce).map(texts, (Body, part) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: partKey({ id, part, parts }), Body })),
  )
  const messages = texts.map((_, part): TextPart => ({ id, part, parts }))
  await sendAll(sqs, queueUrl, messages)
  return { id, parts, counted: 0 }
}

/**
 * The state of a text, with its totals when all parts are counted. Undefined when the text does not exist, or when the
 * store has begun to delete it because it is old.
 */
export async function textStatus(
  { s3, bucket }: Pick<Shared, 's3' | 'bucket'>,
  id: string,
): Promise<TextStatus | undefined> {
  const there = await keysBelow(partsOf(id))
  const counted = await keysBelow(countsOf(id))
  const parts = Number(/-of-(\d+)$/.exec(there[0] ?? '')?.[1] ?? 0)
  if (parts === 0 || there.length < parts) return undefined
  const status: TextStatus = { id, parts, counted: counted.length }
  if (counted.length < parts) return status

  const totals: Counts = new Map()
  await pLimit(requestsAtOnce).map(counted, async (Key) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
    addCounts(totals, (JSON.parse((await Body?.transformToString()) ?? '') as PartCounts).counts)
  })
  return { ...status, words: wordsIn(totals), distinct: totals.size, top: topWords(totals, 10) }

  async function keysBelow(prefix: string) {
    return await Array.fromAsync(listObjects(s3, bucket, prefix), ({ Key }) => Key)
  }
}

/**
 * Objects in parts. Anything larger than a few megabytes travels as numbered parts, several at once, and each part is
 * retried on its own. A source's length need not be known in advance. Each part in flight has one buffer of a part's
 * size, and that is all the memory it takes.
 *
 * `Upload` of @aws-sdk/lib-storage sends streams in parts too. But it cannot resume or download, it does not compare
 * checksums, and when a part has failed for good it keeps reading the source to its end.
 *
 * Every object written here carries the size of its parts as metadata. So a reader can ask for the same parts, and
 * compare them with the store's checksum.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import pLimit from 'p-limit'
import type { CloudError } from '../cloud/errors.ts'
import {
  crc32Of,
  crc32OfParts,
  DamagedError,
  type Encryption,
  isMd5,
  md5Of,
  md5OfParts,
  requireSame,
  type StoredChecksums,
  unquoted,
} from './checksums.ts'

/** Where an object is. */
export interface Target {
  bucket: string
  key: string
}

export interface TransferOptions {
  /** Parts in flight. 4 up, and 3 down, because received data takes memory in the network layer as well. */
  concurrency?: number
  signal?: AbortSignal | undefined
  /** Called with the number of bytes that are done. */
  onProgress?: (bytes: number) => void
  /** Metadata of a new object, besides the size of its parts. */
  metadata?: Record<string, string>
}

export interface Stored {
  bytes: number
  parts: number
  etag: string
}

/** An upload in parts that the store knows, until it is completed or aborted. */
export interface Upload extends Target {
  id: string
}

/** A part that the store has. */
export interface StoredPart {
  number: number
  bytes: number
  etag: string
  /** The CRC-32 of what was sent, as S3 writes it. */
  crc32: string
  /** Whether the store keeps that checksum too. */
  keepsCrc32: boolean
}

/** Fills a buffer with the next part, and returns its number and length, or undefined when there are no more parts. */
export type NextPart = (buffer: Buffer) => Promise<{ number: number; bytes: number } | undefined>

/**
 * Bytes in a part; the last may be smaller. S3 accepts no less. Such parts are fast enough, and several fit in memory.
 */
export const partSize = 5 << 20
/** S3's limit. */
export const mostParts = 10_000
/** The metadata that an object and an upload carry. */
const metadataOf = (more = {}) => ({ 'part-size': String(partSize), ...more })
/** A reader takes no larger parts. Metadata may come from anybody, and a part needs memory. */
const largestPart = 64 << 20
/** How often a request may break off without a new byte. */
const attempts = 5

const describe = ({ bucket, key }: Target) => `${bucket}/${key}`

/**
 * Stores what a source yields. While `concurrency` parts are in flight, it does not read on.
 *
 * @throws when the source, the store or the signal ends it early; the store then keeps no part of it
 */
export async function uploadStream(
  s3: S3Client,
  target: Target,
  source: AsyncIterable<Uint8Array>,
  options: TransferOptions = {},
): Promise<Stored> {
  const chunks = source[Symbol.asyncIterator]()
  const next = cut(chunks)
  try {
    let first: Buffer | undefined = Buffer.allocUnsafeSlow(partSize)
    const { bytes } = (await next(first)) ?? { bytes: 0 }
    // Data that does not fill a part needs no upload in parts.
    if (bytes < partSize) return await putObject(s3, target, first.subarray(0, bytes), options)
    const upload = await beginUpload(s3, target, options)
    const firstThenNext: NextPart = async (buffer) => {
      if (!first) return await next(buffer)
      first.copy(buffer)
      first = undefined
      return { number: 1, bytes }
    }
    try {
      return await completeUpload(s3, upload, await sendParts(s3, upload, firstThenNext, options), options.signal)
    } catch (error) {
      await abortUpload(s3, upload, error)
      throw error
    }
  } finally {
    await chunks.return?.()
  }
}

/** Cuts a stream into parts. All but the last fill their buffers. */
function cut(chunks: AsyncIterator<Uint8Array>): NextPart {
  let rest: Uint8Array = new Uint8Array()
  let number = 0
  const next: NextPart = async (buffer) => {
    let bytes = 0
    while (bytes < buffer.length) {
      if (rest.length === 0) {
        const { done, value } = await chunks.next()
        if (done) break
        rest = value
      }
      const taken = rest.subarray(0, buffer.length - bytes)
      buffer.set(taken, bytes)
      bytes += taken.length
      rest = rest.subarray(taken.length)
    }
    return bytes > 0 ? { number: ++number, bytes } : undefined
  }
  // One call after another, so that each part is a contiguous piece of the stream.
  const inTurn = pLimit(1)
  return (buffer) => inTurn(next, buffer)
}

async function putObject(
  s3: S3Client,
  target: Target,
  data: Uint8Array,
  { signal, onProgress, metadata }: TransferOptions,
): Promise<Stored> {
  const object = { Bucket: target.bucket, Key: target.key, Metadata: metadataOf(metadata) }
  const put = new PutObjectCommand({ ...object, Body: data, ChecksumCRC32: crc32Of(data) })
  const answer = await s3.send(put, { abortSignal: signal })
  requireStored(data, answer, describe(target))
  onProgress?.(data.length)
  return { bytes: data.length, parts: 1, etag: answer.ETag ?? '' }
}

/** Begins an upload in parts. */
export async function beginUpload(
  s3: S3Client,
  { bucket, key }: Target,
  { signal, metadata }: TransferOptions = {},
): Promise<Upload> {
  const object = { Bucket: bucket, Key: key, Metadata: metadataOf(metadata) }
  const create = new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: 'CRC32' })
  const { UploadId: id = '' } = await s3.send(create, { abortSignal: signal })
  return { bucket, key, id }
}

/** How requests name an upload. */
const uploadOf = ({ bucket, key, id }: Upload) => ({ Bucket: bucket, Key: key, UploadId: id })

export interface SendOptions extends TransferOptions {
  /** Called with each part that the store has. */
  onPart?: (part: StoredPart) => Promise<void> | void
}

/**
 * Sends parts, several at once. Returns them in the order of their numbers when the store has all of them.
 *
 * @throws the first error, after all parts in flight have ended
 */
export async function sendParts(
  s3: S3Client,
  upload: Upload,
  next: NextPart,
  { concurrency = 4, signal, onProgress, onPart }: SendOptions = {},
): Promise<StoredPart[]> {
  const failed = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const stored: StoredPart[] = []
  let bytes = 0

  // #region lanes
  /** Sends one part after another, all from the same buffer. */
  async function lane() {
    const buffer = Buffer.allocUnsafeSlow(partSize)
    for (;;) {
      stop.throwIfAborted()
      const part = await next(buffer)
      if (!part) return
      const sent = await sendPart(s3, upload, part.number, buffer.subarray(0, part.bytes), stop)
      await onPart?.(sent)
      stored.push(sent)
      bytes += sent.bytes
      onProgress?.(bytes)
    }
  }
  // Waits for all lanes, even after a failure: a part that arrives after the upload was aborted would cost money for
  // ever.
  await Promise.all(Array.from({ length: concurrency }, () => lane().catch((error: unknown) => failed.abort(error))))
  // #endregion lanes
  stop.throwIfAborted()
  return stored.sort((a, b) => a.number - b.number)
}

async function sendPart(
  s3: S3Client,
  upload: Upload,
  number: number,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<StoredPart> {
  if (number > mostParts) {
    throw new Error(`${describe(upload)} would have more than ${mostParts} parts of ${partSize} bytes, S3's limit`)
  }
  const crc32 = crc32Of(data)
  const part = { ...uploadOf(upload), PartNumber: number, Body: data, ChecksumCRC32: crc32 }
  const answer = await s3.send(new UploadPartCommand(part), { abortSignal: signal })
  requireStored(data, answer, `part ${number} of ${describe(upload)}`)
  return { number, bytes: data.length, etag: answer.ETag ?? '', crc32, keepsCrc32: answer.ChecksumCRC32 !== undefined }
}

/** Compares the store's answer with the data that was sent. */
function requireStored(data: Uint8Array, answer: { ETag?: string; ChecksumCRC32?: string } & Encryption, what: string) {
  const { ETag = '', ChecksumCRC32 } = answer
  if (ChecksumCRC32) requireSame(crc32Of(data), ChecksumCRC32, what)
  if (isMd5(ETag, answer)) requireSame(md5Of(data), ETag, what)
}

/** Turns the parts into an object. They must be in the order of their numbers. */
export async function completeUpload(
  s3: S3Client,
  upload: Upload,
  parts: StoredPart[],
  signal?: AbortSignal,
): Promise<Stored> {
  // A store that keeps no checksums, such as Swift, refuses a list with checksums in it.
  const Parts = parts.map(({ number, etag, crc32, keepsCrc32 }) => ({
    PartNumber: number,
    ETag: etag,
    ...(keepsCrc32 && { ChecksumCRC32: crc32 }),
  }))
  const stored = { bytes: parts.reduce((sum, part) => sum + part.bytes, 0), parts: parts.length }
  const crc32 = crc32OfParts(parts.map((part) => part.crc32))
  try {
    const { ETag = '', ChecksumCRC32 } = await s3.send(
      new CompleteMultipartUploadCommand({ ...uploadOf(upload), MultipartUpload: { Parts } }),
      { abortSignal: signal },
    )
    if (ChecksumCRC32?.includes('-')) requireSame(crc32, ChecksumCRC32, describe(upload))
    return { ...stored, etag: ETag }
  } catch (error) {
    if ((error as CloudError).name !== 'NoSuchUpload') throw error
    // Perhaps only the answer was lost, and the SDK has repeated the request. Then the object is there.
    const there = await headObject(s3, upload, signal).catch(() => undefined)
    const etag = md5OfParts(parts.map((part) => part.etag))
    if (there?.crc32 !== crc32 && !(there?.etagIsMd5 && unquoted(there.etag) === etag)) throw error
    return { ...stored, etag: there.etag }
  }
}

/**
 * Makes the store forget an upload and its parts.
 *
 * @param because the error that ends the upload; if aborting fails too, its message says so
 * @throws when aborting fails and no `because` is given
 */
export async function abortUpload(s3: S3Client, upload: Upload, because?: unknown): Promise<void> {
  try {
    await s3.send(new AbortMultipartUploadCommand(uploadOf(upload)))
  } catch (error) {
    if ((error as CloudError).name === 'NoSuchUpload') return
    if (!(because instanceof Error)) throw error
    because.message += `; its parts could not be removed from ${upload.bucket}, where they cost until a lifecycle rule removes them`
  }
}

/** What is known about an object before it is read. `partSize` is set when this module wrote it. */
export interface ObjectInfo extends StoredChecksums {
  bytes: number
  metadata: Record<string, string>
}

export async function headObject(s3: S3Client, { bucket, key }: Target, signal?: AbortSignal): Promise<ObjectInfo> {
  const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }), {
    abortSignal: signal,
  })
  const { ETag: etag = '', Metadata: metadata = {} } = head
  const size = Number(metadata['part-size'])
  // moto gives an object in parts a CRC-32 that is not that of the whole, without saying of what it is.
  const isKnown = !etag.includes('-') || head.ChecksumCRC32?.includes('-') || head.ChecksumType === 'FULL_OBJECT'
  return {
    bytes: head.ContentLength ?? 0,
    etag,
    etagIsMd5: isMd5(etag, head),
    partSize: Number.isInteger(size) && size >= partSize && size <= largestPart ? size : undefined,
    crc32: isKnown ? head.ChecksumCRC32 : undefined,
    metadata,
  }
}

export interface ReadOptions extends TransferOptions {
  /** The first part to read, from 1. */
  from?: number
}

/**
 * Reads an object part by part, in order, several at once. All parts are of the object that `info` describes. A part
 * whose connection breaks is read again. The buffer of a part is reused later: copy what you need to keep.
 *
 * @throws an Error when somebody replaces the object in the meantime
 */
export async function* downloadParts(
  s3: S3Client,
  target: Target,
  { bytes, etag, partSize: size = partSize }: ObjectInfo,
  { concurrency = 3, signal, onProgress, from = 1 }: ReadOptions = {},
): AsyncGenerator<Buffer, void> {
  const stopped = new AbortController()
  const stop = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal

  async function readPart(number: number, buffer: Buffer): Promise<Buffer> {
    const start = (number - 1) * size
    const data = buffer.subarray(0, Math.min(size, bytes - start))
    let filled = 0
    for (let attempt = 1; ; attempt++) {
      const before = filled
      try {
        // What has arrived before the connection broke is not requested again.
        const Range = `bytes=${start + filled}-${start + data.length - 1}`
        const request = new GetObjectCommand({ Bucket: target.bucket, Key: target.key, Range, IfMatch: etag })
        const { Body } = await s3.send(request, { abortSignal: stop })
        for await (const chunk of Body as AsyncIterable<Uint8Array>) {
          if (filled + chunk.length > data.length) {
            throw new DamagedError(`${describe(target)}: the store sent more than the ${Range} it was asked for`)
          }
          data.set(chunk, filled)
          filled += chunk.length
        }
        if (filled !== data.length) throw new Error(`part ${number} ended after ${filled} bytes`)
        return data
      } catch (error) {
        signal?.throwIfAborted()
        const status = (error as CloudError).$metadata?.httpStatusCode
        if (status === 412) {
          throw new Error(`${describe(target)} was replaced while it was read: read it again from the start`)
        }
        // A link that breaks again and again may still carry the part, piece by piece.
        if (filled > before) attempt = 0
        // The SDK has already retried errors with a status. It does not retry when the body breaks off later.
        if (error instanceof DamagedError || status !== undefined || attempt === attempts) throw error
        await delay(100 * 2 ** attempt * Math.random(), undefined, { signal: stop })
      }
    }
  }

  const last = Math.ceil(bytes / size)
  const buffers = Array.from({ length: concurrency }, () => Buffer.allocUnsafeSlow(Math.min(size, bytes)))
  const underWay: Promise<Buffer>[] = []
  const begin = (number: number) => {
    const buffer = buffers[number % concurrency]
    if (number > last || !buffer) return
    const reading = readPart(number, buffer)
    // It is awaited when its turn comes. Until then its failure must not count as unhandled.
    reading.catch(() => {})
    underWay.push(reading)
  }
  let done = (from - 1) * size
  try {
    for (let number = from; number < from + concurrency; number++) begin(number)
    for (let number = from; number <= last; number++) {
      const data = await underWay.shift()
      if (!data) break
      done += data.length
      onProgress?.(done)
      yield data
      // The buffer of this part is free now.
      begin(number + concurrency)
    }
  } finally {
    stopped.abort()
    await Promise.allSettled(underWay)
  }
}

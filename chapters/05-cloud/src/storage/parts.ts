/**
 * Objects in parts: what is larger than a few megabytes travels as numbered parts, several at once, each of which is tried
 * again by itself. Nobody needs to know the length beforehand, and only the parts under way are in memory.
 *
 * Every object that is written here carries the size of its parts. By it a reader can ask for the same parts, and compare
 * what it gets with the store's checksum, which for such an object is one of the parts' checksums:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { CloudError } from '../cloud/errors.ts'

/** Where an object is. */
export interface Target {
  bucket: string
  key: string
}

export interface TransferOptions {
  /** Bytes in a part, 5 MiB (the default) to 5 GiB; the last may be smaller. */
  partSize?: number
  /** Parts under way at once; each is in memory. 4 up and 3 down, where what the network hands over needs memory as well. */
  concurrency?: number
  signal?: AbortSignal | undefined
  /** Called with the number of bytes that are done. */
  onProgress?: (bytes: number) => void
}

export interface Stored {
  bytes: number
  parts: number
  etag: string
}

/** A part that the store has. */
export interface StoredPart {
  number: number
  bytes: number
  etag: string
  /** CRC-32 of the part, as S3 writes it: four bytes in Base64; undefined where the store keeps none. */
  crc32?: string | undefined
}

/** S3's limit. */
const mostParts = 10_000
const metadataKey = 'part-size'
/** The smallest part that S3 takes: large enough for the speed, small enough to hold several. */
export const defaultPartSize = 5 << 20
const attempts = 5

/**
 * Stores what a source yields, whose length need not be known. At most `concurrency` parts are in memory, plus the one that
 * is being filled; the source is not read on while they are under way.
 *
 * @throws when the source, the store or the signal ends it early; no part of it is then left in the store
 */
export async function uploadStream(
  s3: S3Client,
  target: Target,
  source: AsyncIterable<Uint8Array>,
  options: TransferOptions = {},
): Promise<Stored> {
  const { partSize = defaultPartSize } = options
  const buffers = new PartBuffers(partSize)
  const parts = inParts(source, partSize, buffers)
  const first = await parts.next()
  const second = first.done ? first : await parts.next()
  // What fits into one part needs no upload in parts.
  if (second.done) return await putObject(s3, target, first.value ?? Buffer.alloc(0), partSize, options)
  async function* numbered() {
    let number = 1
    for (const data of [first.value, second.value]) if (data) yield { number: number++, data }
    for await (const data of parts) yield { number: number++, data }
  }
  const upload = await startUpload(s3, target, partSize, options.signal)
  try {
    return await upload.complete(await upload.sendParts(numbered(), { ...options, buffers }))
  } catch (error) {
    await upload.abort(error)
    throw error
  }
}

/** Cuts a stream into buffers of the same size; the last may be smaller. */
async function* inParts(
  source: AsyncIterable<Uint8Array>,
  size: number,
  buffers: PartBuffers,
): AsyncGenerator<Buffer, undefined> {
  let part = buffers.take()
  let filled = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, size - filled)
      part.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled += taken
      if (filled < size) continue
      yield part
      part = buffers.take()
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}

async function putObject(
  s3: S3Client,
  { bucket, key }: Target,
  data: Uint8Array,
  partSize: number,
  { signal, onProgress }: TransferOptions,
): Promise<Stored> {
  const { ETag = '', SSEKMSKeyId } = await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: data,
      ChecksumCRC32: crc32Of(data),
      Metadata: { [metadataKey]: String(partSize) },
    }),
    { abortSignal: signal },
  )
  if (!SSEKMSKeyId) requireSame(md5Of(data), ETag, `${bucket}/${key}`)
  onProgress?.(data.length)
  return { bytes: data.length, parts: 1, etag: ETag }
}

/** An upload in parts that the store knows of, until it is completed or aborted. */
export interface Upload {
  id: string
  /** Sends parts, several at once, and returns them in the order of their numbers when all are stored. */
  sendParts: (
    parts: AsyncIterable<{ number: number; data: Uint8Array }>,
    options?: TransferOptions & {
      onPart?: (part: StoredPart) => Promise<void> | void
      /** Gets each part's memory back when it is sent. */
      buffers?: PartBuffers
    },
  ) => Promise<StoredPart[]>
  complete: (parts: StoredPart[]) => Promise<Stored>
  /**
   * Has the store forget all parts.
   *
   * @throws when it does not; with `because`, the error that is to be thrown, that error's message says so instead
   */
  abort: (because?: unknown) => Promise<void>
}

/** Begins an upload in parts, or goes on with the one of the given id. */
export async function startUpload(
  s3: S3Client,
  { bucket, key }: Target,
  partSize: number,
  signal?: AbortSignal,
  id?: string,
): Promise<Upload> {
  const object = { Bucket: bucket, Key: key }
  const begin = { ...object, ChecksumAlgorithm: 'CRC32' as const, Metadata: { [metadataKey]: String(partSize) } }
  const uploadId =
    id ?? (await s3.send(new CreateMultipartUploadCommand(begin), { abortSignal: signal })).UploadId ?? ''
  const upload = { ...object, UploadId: uploadId }

  async function sendPart(number: number, data: Uint8Array, stop: AbortSignal): Promise<StoredPart> {
    if (number > mostParts) {
      throw new Error(`${bucket}/${key} has more than ${mostParts} parts of ${partSize} bytes: send larger ones`)
    }
    const checksum = crc32Of(data)
    const {
      ETag = '',
      SSEKMSKeyId,
      ChecksumCRC32,
    } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: number, Body: data, ChecksumCRC32: checksum }), {
      abortSignal: stop,
    })
    // Encrypted with a key of one's own, an object has an ETag that says nothing about its content.
    if (!SSEKMSKeyId) requireSame(md5Of(data), ETag, `part ${number} of ${bucket}/${key}`)
    return { number, bytes: data.length, etag: ETag, crc32: ChecksumCRC32 }
  }

  return {
    id: uploadId,
    async sendParts(parts, { concurrency = 4, signal, onProgress, onPart, buffers } = {}) {
      const failed = new AbortController()
      const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
      const stored: StoredPart[] = []
      const underWay = new Set<Promise<void>>()
      let bytes = 0
      try {
        for await (const { number, data } of parts) {
          stop.throwIfAborted()
          const sending = sendPart(number, data, stop)
            .then(async (part) => {
              buffers?.give(data)
              await onPart?.(part)
              stored.push(part)
              bytes += part.bytes
              onProgress?.(bytes)
            })
            .catch((error: unknown) => failed.abort(error))
            .finally(() => underWay.delete(sending))
          underWay.add(sending)
          if (underWay.size >= concurrency) await Promise.race(underWay)
        }
      } finally {
        // Also after a failure: a part that arrives after the upload was aborted would be stored, and cost, for ever.
        await Promise.all(underWay)
      }
      stop.throwIfAborted()
      return stored.sort((a, b) => a.number - b.number)
    },
    async complete(parts) {
      const completed = parts.map(
        // A store that keeps no checksums, such as Swift, refuses a list in which there are some.
        ({ number, etag, crc32 }): CompletedPart => ({
          PartNumber: number,
          ETag: etag,
          ...(crc32 && { ChecksumCRC32: crc32 }),
        }),
      )
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
      const complete = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: completed } })
      try {
        const { ETag = '', ChecksumCRC32 } = await s3.send(complete, { abortSignal: signal })
        if (ChecksumCRC32) {
          requireSame(crc32OfParts(parts.map((part) => part.crc32 ?? '')), ChecksumCRC32, `${bucket}/${key}`)
        }
        return { bytes, parts: parts.length, etag: ETag }
      } catch (error) {
        if ((error as CloudError).name !== 'NoSuchUpload') throw error
        // Where only the answer was lost, the SDK has asked again for what was already done.
        const { etag } = await headObject(s3, { bucket, key }, signal)
        if (etag.replaceAll('"', '') !== md5OfParts(parts.map((part) => part.etag))) throw error
        return { bytes, parts: parts.length, etag }
      }
    },
    async abort(because) {
      try {
        await s3.send(new AbortMultipartUploadCommand(upload))
      } catch (error) {
        if ((error as CloudError).name === 'NoSuchUpload') return
        if (!(because instanceof Error)) throw error
        because.message += `; its parts could not be removed from ${bucket}, where they cost until a lifecycle rule removes them`
      }
    },
  }
}

/**
 * Memory for parts, used again and again: left to the garbage collector, which sees only small objects that point to it,
 * many times as much would pile up.
 */
export class PartBuffers {
  readonly #size: number
  readonly #free: ArrayBuffer[] = []

  /** @param size bytes in a part */
  constructor(size: number) {
    this.#size = size
  }

  /** A buffer of whatever content, of the size of a part or the first `length` bytes of one. */
  take(length = this.#size): Buffer {
    return Buffer.from(this.#free.pop() ?? new ArrayBuffer(this.#size), 0, length)
  }

  /** Takes a buffer back. */
  give({ buffer }: Uint8Array) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === this.#size) this.#free.push(buffer)
  }
}

/** What is known of an object before it is read. */
export interface ObjectInfo {
  bytes: number
  etag: string
  /** Bytes in a part when it was written by this module. */
  partSize: number | undefined
  /** The store's CRC-32 of the whole (`…`) or of the parts' CRC-32 (`…-3`); undefined where it keeps none. */
  crc32: string | undefined
}

export async function headObject(s3: S3Client, { bucket, key }: Target, signal?: AbortSignal): Promise<ObjectInfo> {
  const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }), {
    abortSignal: signal,
  })
  return {
    bytes: head.ContentLength ?? 0,
    etag: head.ETag ?? '',
    partSize: Number(head.Metadata?.[metadataKey]) || undefined,
    crc32: head.ChecksumCRC32,
  }
}

export interface ReadOptions extends TransferOptions {
  /** The first part to read, counted from 1. */
  from?: number
}

/**
 * Reads an object part by part, in order, `concurrency` of them at once. A part whose connection breaks is asked for again.
 * All parts are of the object that `info` describes. The memory of a part is used again for a later one: what is to be
 * kept must be copied.
 *
 * @throws an Error when the object is replaced meanwhile
 */
export async function* downloadParts(
  s3: S3Client,
  { bucket, key }: Target,
  { bytes, etag, partSize: written }: ObjectInfo,
  { partSize = written ?? defaultPartSize, concurrency = 3, signal, onProgress, from = 1 }: ReadOptions = {},
): AsyncGenerator<Buffer, void> {
  const buffers = new PartBuffers(partSize)
  const stopped = new AbortController()
  const stop = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal

  async function readPart(number: number): Promise<Buffer> {
    const start = (number - 1) * partSize
    const end = Math.min(start + partSize, bytes) - 1
    for (let attempt = 1; ; attempt++) {
      try {
        const { Body } = await s3.send(
          new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=${start}-${end}`, IfMatch: etag }),
          { abortSignal: stop },
        )
        const data = buffers.take(end - start + 1)
        let filled = 0
        for await (const chunk of Body as AsyncIterable<Uint8Array>) {
          data.set(chunk, filled)
          filled += chunk.length
        }
        if (filled !== data.length) throw new Error(`part ${number} ended after ${filled} bytes`)
        return data
      } catch (error) {
        signal?.throwIfAborted()
        const status = (error as CloudError).$metadata?.httpStatusCode
        if (status === 412) {
          throw new Error(`${bucket}/${key} was replaced while it was read: read it again from the start`)
        }
        // An answer with a status has been tried again by the SDK; a body that breaks off afterwards has not.
        if (stop.aborted || status !== undefined || attempt === attempts) throw error
        await delay(100 * 2 ** attempt * Math.random(), undefined, { signal: stop })
      }
    }
  }

  const last = Math.ceil(bytes / partSize)
  const underWay: Promise<Buffer>[] = []
  let next = from
  let done = (from - 1) * partSize
  try {
    while (next <= last || underWay.length > 0) {
      while (next <= last && underWay.length < concurrency) {
        const reading = readPart(next++)
        // It is awaited in its turn; until then a failure of it is nobody's.
        reading.catch(() => {})
        underWay.push(reading)
      }
      const data = await underWay.shift()
      if (!data) break
      done += data.length
      onProgress?.(done)
      yield data
      buffers.give(data)
    }
  } finally {
    stopped.abort()
    await Promise.allSettled(underWay)
  }
}

/** Compares what was read with what the store says of the object, part by part. */
export class Verifier {
  readonly #crc32: string[] = []
  readonly #md5: string[] = []

  add(part: Uint8Array) {
    this.#crc32.push(crc32Of(part))
    this.#md5.push(md5Of(part))
  }

  /**
   * By which checksum the parts are those of the object; undefined when it was not written in these parts.
   *
   * @throws an Error when they differ
   */
  verify(name: string, { etag, crc32, partSize }: ObjectInfo): 'CRC-32' | 'MD5' | undefined {
    const inParts = etag.includes('-')
    if (inParts && partSize === undefined) return undefined
    if (!inParts && this.#md5.length > 1) return undefined
    // One without a number of parts is of the whole, which the parts' checksums do not tell.
    if (crc32 && crc32.includes('-') === inParts) {
      requireSame((inParts ? crc32OfParts(this.#crc32) : this.#crc32[0]) ?? crc32Of(new Uint8Array()), crc32, name)
      return 'CRC-32'
    }
    requireSame(inParts ? md5OfParts(this.#md5) : (this.#md5[0] ?? md5Of('')), etag, name)
    return 'MD5'
  }
}

/** CRC-32 as S3 writes it: four bytes in Base64. */
export function crc32Of(data: Uint8Array): string {
  const four = Buffer.alloc(4)
  four.writeUInt32BE(crc32(data))
  return four.toString('base64')
}

/** What S3 calls a composite checksum: the checksum of the parts' checksums, and their number. */
function crc32OfParts(checksums: string[]): string {
  const joined = Buffer.concat(checksums.map((checksum) => Buffer.from(checksum, 'base64')))
  return `${crc32Of(joined)}-${checksums.length}`
}

function md5Of(data: Uint8Array | string): string {
  return hash('md5', data)
}

/** The same of MD5, which is an ETag that stores agree on without having promised it. */
function md5OfParts(checksums: string[]): string {
  const joined = Buffer.concat(checksums.map((checksum) => Buffer.from(checksum.replaceAll('"', ''), 'hex')))
  return `${md5Of(joined)}-${checksums.length}`
}

function requireSame(computed: string, received: string, what: string) {
  // ETags stand in quotes.
  const stored = received.replaceAll('"', '')
  if (stored === computed) return
  throw new DamagedError(`${what} was damaged on the way: its checksum is ${computed}, the store has ${stored}`)
}

/** What was sent or received is not what it was: its checksum is another. */
export class DamagedError extends Error {
  override name = 'DamagedError'
}

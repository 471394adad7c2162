/** Files to objects and back. An interrupted transfer resumes where it stopped. */
import { createReadStream } from 'node:fs'
import { appendFile, open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { S3Client } from '@aws-sdk/client-s3'
import { bytes as inBytes } from '@repo/common/output/terminal'
import type { CloudError } from '../cloud/errors.ts'
import { DamagedError, Verifier } from './checksums.ts'
import {
  abortUpload,
  beginUpload,
  completeUpload,
  downloadParts,
  headObject,
  type NextPart,
  partSize,
  type SendOptions,
  type Stored,
  type StoredPart,
  sendParts,
  type Target,
  type TransferOptions,
  type Upload,
  uploadStream,
} from './parts.ts'

export interface FileUpload extends Stored {
  /** Parts that an earlier, interrupted upload had stored. */
  resumed: number
}

/**
 * Uploads a file. A journal beside the file records each part that the store has. When the upload is interrupted, even
 * by the end of this process, calling this again sends only the missing parts. `discardUpload` gives up instead.
 *
 * @throws an Error when the file changes in the meantime, or the store fails
 */
export async function uploadFile(
  s3: S3Client,
  target: Target,
  path: string,
  options: TransferOptions = {},
): Promise<FileUpload> {
  const { size, mtimeMs } = await stat(path)
  if (size <= partSize) return { ...(await uploadStream(s3, target, createReadStream(path), options)), resumed: 0 }

  const file = { ...target, partSize, size, mtimeMs }
  const journal = await readJournal(path)
  const resumes = journal !== undefined && isDeepStrictEqual({ ...journal.head, id: '' }, { ...file, id: '' })
  if (journal && !resumes) await discardUpload(s3, path)
  const upload = resumes ? journal.head : await beginJournal(s3, path, file, options.signal)
  const stored = resumes ? journal.parts : []

  try {
    const sent = await sendMissing(s3, path, upload, stored, {
      ...options,
      onPart: (part) => onDisk(journalOf(path), appendFile(journalOf(path), `${JSON.stringify(part)}\n`)),
    })
    const now = await stat(path)
    if (now.size !== size || now.mtimeMs !== mtimeMs) {
      const cause: unknown = await discardUpload(s3, path).catch((error: unknown) => error)
      throw new Error(`${path} was changed while it was uploaded: upload it again`, { cause })
    }
    const parts = [...stored, ...sent].sort((a, b) => a.number - b.number)
    const done = await completeUpload(s3, upload, parts, options.signal)
    await rm(journalOf(path))
    return { ...done, resumed: stored.length }
  } catch (error) {
    if (!resumes || (error as CloudError).name !== 'NoSuchUpload') throw error
    // The store has forgotten the interrupted upload, as a lifecycle rule tells it to.
    await rm(journalOf(path))
    return await uploadFile(s3, target, path, options)
  }
}

/** Sends the parts of a file that are not stored yet. */
async function sendMissing(
  s3: S3Client,
  path: string,
  upload: JournalHead,
  stored: StoredPart[],
  options: SendOptions,
): Promise<StoredPart[]> {
  const there = new Set(stored.map(({ number }) => number))
  const numbers = Array.from({ length: Math.ceil(upload.size / partSize) }, (_, at) => at + 1)
  const missing = numbers.filter((number) => !there.has(number))
  await using file = await open(path)
  const next: NextPart = async (buffer) => {
    const number = missing.shift()
    if (number === undefined) return undefined
    const { bytesRead } = await file.read(buffer, 0, partSize, (number - 1) * partSize)
    return { number, bytes: bytesRead }
  }
  return await sendParts(s3, upload, next, options)
}

/**
 * Gives up the interrupted upload of a file: the store forgets its parts.
 *
 * @returns whether there was an upload to give up
 */
export async function discardUpload(s3: S3Client, path: string): Promise<boolean> {
  const journal = await readJournal(path)
  if (!journal) return false
  await abortUpload(s3, journal.head)
  // Not earlier: with the journal, aborting can be retried.
  await rm(journalOf(path), { force: true })
  return true
}

/** The first line of a journal: the upload, and the file when it began. Each further line is a StoredPart. */
interface JournalHead extends Upload {
  partSize: number
  size: number
  mtimeMs: number
}

/** The file that records the stored parts of a file while it is uploaded. */
export const journalOf = (path: string) => `${path}.upload`

async function readJournal(path: string): Promise<{ head: JournalHead; parts: StoredPart[] } | undefined> {
  const text = await readFile(journalOf(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  // A process that was killed while it wrote has left half a line at the end.
  const [head, ...parts] = text.split('\n').slice(0, -1)
  if (head === undefined) return undefined
  return { head: JSON.parse(head) as JournalHead, parts: parts.map((line) => JSON.parse(line) as StoredPart) }
}

/** Begins an upload and its journal. */
async function beginJournal(
  s3: S3Client,
  path: string,
  file: Omit<JournalHead, 'id'>,
  signal: AbortSignal | undefined,
): Promise<JournalHead> {
  const upload = await beginUpload(s3, file, signal)
  const head: JournalHead = { ...file, id: upload.id }
  try {
    await onDisk(journalOf(path), writeFile(journalOf(path), `${JSON.stringify(head)}\n`))
    return head
  } catch (error) {
    // Without a journal nobody would find the upload again.
    await abortUpload(s3, upload, error)
    throw error
  }
}

/** Waits for a write. When the disk is full, the error says so. */
async function onDisk(path: string, writing: Promise<void>): Promise<void> {
  try {
    await writing
  } catch (error) {
    throw isFull(error) ? fullDisk(path, error) : error
  }
}

const isFull = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(error.code))

const fullDisk = (path: string, { code }: NodeJS.ErrnoException) =>
  new Error(`${path} cannot be written: the disk is full (${code})`)

export interface FileDownload {
  bytes: number
  /** Parts that an earlier, interrupted download had left. */
  resumed: number
  /** Which of the store's checksums confirms the file. Undefined where the store has none for these parts. */
  verified: 'CRC-32' | 'MD5' | undefined
}

/**
 * Downloads an object into a file. The file gets its name when it is complete and its checksum is right. Until then the
 * data is in another file beside it, from which an interrupted download resumes if the object is still the same.
 *
 * @throws an Error when the object changes in the meantime, the disk is full, or the data is damaged
 */
export async function downloadFile(
  s3: S3Client,
  target: Target,
  path: string,
  options: TransferOptions = {},
): Promise<FileDownload> {
  const info = await headObject(s3, target, options.signal)
  const { partSize: size = partSize } = info
  const unfinished = partialOf(path, info.etag)
  const file = await open(unfinished, 'a+')
  try {
    const verifier = new Verifier()
    const there = (await file.stat()).size
    const resumed = Math.floor(Math.min(there, info.bytes) / size)
    if (there > resumed * size) await file.truncate(resumed * size)
    await requireSpace(path, info.bytes - resumed * size)
    const part = Buffer.allocUnsafeSlow(size)
    for (let number = 0; number < resumed; number++) {
      await file.read(part, 0, size, number * size)
      verifier.add(part)
    }
    for await (const data of downloadParts(s3, target, info, { ...options, from: resumed + 1 })) {
      verifier.add(data)
      await file.appendFile(data)
    }
    const verified = verifier.verify(`${target.bucket}/${target.key}`, info)
    await file.sync()
    await rename(unfinished, path)
    return { bytes: info.bytes, resumed, verified }
  } catch (error) {
    // A full disk needs the space, and damaged data is of no use.
    if (isFull(error) || error instanceof DamagedError) await rm(unfinished, { force: true })
    throw isFull(error) ? fullDisk(path, error) : error
  } finally {
    await file.close()
  }
}

/** The file that holds a download until it is complete. Each version of an object has its own ETag and file. */
export function partialOf(path: string, etag: string): string {
  return `${path}.${etag.replaceAll(/\W/g, '')}.partial`
}

/** Checks, before the first byte travels, that the disk has room for a file. */
async function requireSpace(path: string, bytes: number) {
  const { bavail, bsize } = await statfs(dirname(path))
  if (bavail * bsize >= bytes) return
  throw new Error(`${path} needs ${inBytes(bytes)}, and its disk has ${inBytes(bavail * bsize)} left`)
}

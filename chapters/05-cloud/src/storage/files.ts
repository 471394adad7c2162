/** Files to objects and back, so that a transfer which was broken off goes on where it stopped. */
import { createReadStream } from 'node:fs'
import { appendFile, open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { bytes as inBytes } from '@repo/common/output/terminal'
import type { CloudError } from '../cloud/errors.ts'
import {
  DamagedError,
  defaultPartSize,
  downloadParts,
  headObject,
  PartBuffers,
  type Stored,
  type StoredPart,
  startUpload,
  type Target,
  type TransferOptions,
  type Upload,
  uploadStream,
  Verifier,
} from './parts.ts'

export interface FileUpload extends Stored {
  /** Parts that an earlier, broken upload had already stored. */
  resumed: number
}

/** The first line of a journal; each further line is a StoredPart. */
interface JournalHead extends Target {
  id: string
  size: number
  mtimeMs: number
  partSize: number
}

/** Where the parts of a file that are already stored are noted while it is uploaded. */
export const journalOf = (path: string) => `${path}.upload`

/**
 * Uploads a file. What is stored is noted in a journal beside the file, also when this process is killed; calling it again
 * sends only the parts that are missing. `discardUpload` gives up instead.
 *
 * @throws an Error when the file changes meanwhile, or the store fails
 */
export async function uploadFile(
  s3: S3Client,
  target: Target,
  path: string,
  { partSize = defaultPartSize, ...options }: TransferOptions = {},
): Promise<FileUpload> {
  const { size, mtimeMs } = await stat(path)
  if (size <= partSize) return { ...(await uploadStream(s3, target, createReadStream(path), options)), resumed: 0 }

  const journal = await readJournal(path)
  const { head } = journal
  const same =
    head.bucket === target.bucket &&
    head.key === target.key &&
    head.size === size &&
    head.mtimeMs === mtimeMs &&
    head.partSize === partSize
  if (head.id && !same) await discardUpload(s3, path)
  const stored = same ? journal.parts : []
  const upload = await startUpload(s3, target, partSize, options.signal, same ? head.id : undefined)
  if (!same) {
    try {
      await writeJournal(path, { ...target, id: upload.id, size, mtimeMs, partSize })
    } catch (error) {
      // Nobody would find it again.
      await upload.abort(error)
      throw error
    }
  }

  try {
    const buffers = new PartBuffers(partSize)
    const sent = await upload.sendParts(missingParts(path, size, partSize, stored, buffers), {
      buffers,
      ...options,
      onPart: (part) => onDisk(journalOf(path), appendFile(journalOf(path), `${JSON.stringify(part)}\n`)),
    })
    const now = await stat(path)
    if (now.size !== size || now.mtimeMs !== mtimeMs) {
      const cause: unknown = await giveUp(path, upload).catch((error: unknown) => error)
      throw new Error(`${path} was changed while it was uploaded: upload it again`, { cause })
    }
    const parts = [...stored, ...sent].sort((a, b) => a.number - b.number)
    const done = await upload.complete(parts)
    await rm(journalOf(path))
    return { ...done, resumed: stored.length }
  } catch (error) {
    if (!same || (error as CloudError).name !== 'NoSuchUpload') throw error
    // The store has forgotten the broken upload, as a lifecycle rule makes it do.
    await rm(journalOf(path))
    return await uploadFile(s3, target, path, { partSize, ...options })
  }
}

/** Has the store forget the parts of a broken upload of this file; returns whether there was one. */
export async function discardUpload(s3: S3Client, path: string): Promise<boolean> {
  const { head } = await readJournal(path)
  if (!head.id || head.bucket === undefined || head.key === undefined || head.partSize === undefined) return false
  await giveUp(path, await startUpload(s3, { bucket: head.bucket, key: head.key }, head.partSize, undefined, head.id))
  return true
}

async function giveUp(path: string, upload: Upload): Promise<void> {
  await upload.abort()
  // Only then: by the journal it can be tried again.
  await rm(journalOf(path), { force: true })
}

async function* missingParts(path: string, size: number, partSize: number, stored: StoredPart[], buffers: PartBuffers) {
  const there = new Set(stored.map(({ number }) => number))
  await using file = await open(path)
  for (let number = 1; (number - 1) * partSize < size; number++) {
    if (there.has(number)) continue
    const start = (number - 1) * partSize
    const data = buffers.take(Math.min(partSize, size - start))
    const { bytesRead } = await file.read(data, 0, data.length, start)
    yield { number, data: data.subarray(0, bytesRead) }
  }
}

async function readJournal(path: string): Promise<{ head: Partial<JournalHead>; parts: StoredPart[] }> {
  const text = await readFile(journalOf(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  // The last line lacks its end where the process was killed while it wrote.
  const [head = {}, ...parts] = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown)
  return { head: head as Partial<JournalHead>, parts: parts as StoredPart[] }
}

async function writeJournal(path: string, head: JournalHead) {
  await onDisk(journalOf(path), writeFile(journalOf(path), `${JSON.stringify(head)}\n`))
}

/** What was written, or an error that says so where the disk is full. */
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
  /** Parts that an earlier, broken download had left. */
  resumed: number
  /** By which checksum of the store the file's content is right; undefined where the store has none for these parts. */
  verified: 'CRC-32' | 'MD5' | undefined
}

/**
 * Downloads an object into a file, which appears under its name when all of it is there and its checksum is right. What is
 * there of a broken download, in a file beside it, is kept and used by the next one if the object is still the same.
 *
 * @throws an Error when the object changes meanwhile, the disk is full, or the content is damaged
 */
export async function downloadFile(
  s3: S3Client,
  target: Target,
  path: string,
  options: TransferOptions = {},
): Promise<FileDownload> {
  const info = await headObject(s3, target, options.signal)
  const partSize = info.partSize ?? options.partSize ?? defaultPartSize
  // Another version of the object has another ETag, and so another file.
  const unfinished = partialOf(path, info.etag)
  const file = await open(unfinished, 'a+')
  try {
    const verifier = new Verifier()
    const { size } = await file.stat()
    const resumed = Math.floor(Math.min(size, info.bytes) / partSize)
    if (size > resumed * partSize) await file.truncate(resumed * partSize)
    await requireSpace(path, info.bytes - resumed * partSize)
    const part = Buffer.allocUnsafeSlow(partSize)
    for (let number = 0; number < resumed; number++) {
      await file.read(part, 0, partSize, number * partSize)
      verifier.add(part)
    }
    for await (const data of downloadParts(s3, target, info, { ...options, partSize, from: resumed + 1 })) {
      verifier.add(data)
      await file.appendFile(data)
    }
    const verified = verifier.verify(`${target.bucket}/${target.key}`, info)
    await file.sync()
    await rename(unfinished, path)
    return { bytes: info.bytes, resumed, verified }
  } catch (error) {
    // A full disk needs the room, and what is damaged is of no use.
    if (isFull(error) || error instanceof DamagedError) await rm(unfinished, { force: true })
    throw isFull(error) ? fullDisk(path, error) : error
  } finally {
    await file.close()
  }
}

/** Where a download is kept until it is complete. */
export function partialOf(path: string, etag: string): string {
  return `${path}.${etag.replaceAll(/\W/g, '')}.partial`
}

/** Finds out before the first byte travels. */
async function requireSpace(path: string, bytes: number) {
  const { bavail, bsize } = await statfs(dirname(path))
  if (bavail * bsize >= bytes) return
  throw new Error(`${path} needs ${inBytes(bytes)}, and its disk has ${inBytes(bavail * bsize)} left`)
}

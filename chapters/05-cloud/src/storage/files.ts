/** Files to objects and back. An interrupted transfer resumes where it stopped, once it is proven to be the same work. */
import { constants, createReadStream, type Stats } from 'node:fs'
import { type FileHandle, open, readlink, realpath, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { S3Client } from '@aws-sdk/client-s3'
import { bytes as inBytes } from '@repo/common/output/terminal'
import type { CloudError } from '../cloud/errors.ts'
import { crc32Of, DamagedError, proofOf, Verifier } from './checksums.ts'
import { fullDisk, isFull } from './disk.ts'
import {
  beginJournal,
  beside,
  continueJournal,
  NoJournalError,
  type OpenJournal,
  readJournal,
  removeJournal,
} from './journal.ts'
import { lock } from './lock.ts'
import {
  abortUpload,
  beginUpload,
  completeUpload,
  downloadParts,
  headObject,
  mostParts,
  type NextPart,
  type ObjectInfo,
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
 * by the end of this process, calling this again sends only the missing parts: those that the store does not have, and
 * those that it has of other content. `discardUpload` gives up instead.
 *
 * The file's permissions become metadata of the object, for `downloadFile`. The store takes metadata only when an upload
 * begins, so one with other metadata begins anew.
 *
 * @throws an Error when the file changes in the meantime, another process uploads it, the journal's name is taken, or the
 *   store fails
 */
export async function uploadFile(
  s3: S3Client,
  target: Target,
  path: string,
  options: TransferOptions = {},
): Promise<FileUpload> {
  return await inTurn(path, async () => {
    // A small file needs neither journal nor lock: its folder may be one that nobody can write to.
    const needsJournal = (await stat(path)).size > partSize || (await readJournal(path).catch(() => undefined))
    await using _ = needsJournal ? await lock(path) : undefined
    return await upload(s3, target, path, options)
  })
}

const turns = new Map<string, Promise<unknown>>()

/** Transfers of one file in this process run one after another: they would use the same journal or unfinished file. */
async function inTurn<Result>(path: string, transfer: () => Promise<Result>): Promise<Result> {
  const file = resolve(path)
  const result = Promise.resolve(turns.get(file)).then(transfer, transfer)
  turns.set(file, result)
  try {
    return await result
  } finally {
    if (turns.get(file) === result) turns.delete(file)
  }
}

async function upload(s3: S3Client, target: Target, path: string, options: TransferOptions): Promise<FileUpload> {
  const before = await stat(path)
  if (before.isDirectory()) throw new FolderError(path)
  const { size, mtimeMs, mode } = before
  // Otherwise only the last part would be refused, hours later.
  if (size > mostParts * partSize) {
    throw new Error(
      `${path} has ${size} bytes; accepts up to ${mostParts * partSize}: S3 takes ${mostParts} parts, here of ${inBytes(partSize)}`,
    )
  }
  const metadata = { ...options.metadata, [modeKey]: (mode & permissions).toString(8) }
  const journal = await readJournal(path).catch((error: unknown) => {
    // A small file needs no journal.
    if (size <= partSize && error instanceof NoJournalError) return undefined
    throw error
  })
  const { bucket, key } = target
  const head = journal?.head
  const resumes =
    head?.bucket === bucket &&
    head.key === key &&
    head.partSize === partSize &&
    head.size === size &&
    head.mtimeMs === mtimeMs &&
    isDeepStrictEqual(head.metadata, metadata)
  // Before a small file is sent as well: it may have been larger.
  if (journal && !resumes) await discard(s3, path)
  if (size <= partSize) {
    return { ...(await uploadStream(s3, target, unchangedContent(path, before), { ...options, metadata })), resumed: 0 }
  }

  await using file = await open(path)
  // Size and time are not enough: tools that copy a file keep its time.
  const stored = resumes ? await unchanged(file, journal?.parts ?? [], options.signal) : []
  const started = resumes && head ? head : await beginUpload(s3, target, { ...options, metadata })
  try {
    await using record = resumes
      ? await continueJournal(path)
      : await recordUpload(s3, path, { ...started, partSize, size, mtimeMs, metadata })
    const sent = await sendMissing(
      s3,
      path,
      file,
      { upload: started, size, stored },
      { ...options, onPart: record.add },
    )
    const parts = [...stored, ...sent].sort((a, b) => a.number - b.number)
    const now = await stat(path)
    const isUntouched = now.ino === before.ino && now.ctimeMs === before.ctimeMs && now.size === size
    // The object would tell other permissions. Other changes of the file's record, such as its time, do no harm.
    const isSame = now.mode === mode && (isUntouched || (await hasParts(path, size, parts, options.signal)))
    if (!isSame) throw new ChangedError(path)
    const done = await completeUpload(s3, started, parts, options.signal)
    await removeJournal(path)
    return { ...done, resumed: stored.length }
  } catch (error) {
    if (error instanceof ChangedError) {
      error.cause = await discard(s3, path).catch((cause: unknown) => cause)
    }
    if (!resumes || !['NoSuchUpload', 'InvalidPart'].includes((error as CloudError).name)) throw error
    // The store has forgotten the interrupted upload, as a lifecycle rule tells it to, or a part of it.
    await discard(s3, path)
    return await upload(s3, target, path, options)
  }
}

/** The content of a small file. The store keeps it only if it is that of the file when the upload began. */
async function* unchangedContent(path: string, { ino, size, mtimeMs }: Stats): AsyncGenerator<Uint8Array, void> {
  yield* createReadStream(path)
  const now = await stat(path)
  if (now.ino !== ino || now.size !== size || now.mtimeMs !== mtimeMs) throw new ChangedError(path)
}

class FolderError extends Error {
  constructor(path: string) {
    super(`${path} is a folder: name a file`)
  }
}

class ChangedError extends Error {
  constructor(path: string) {
    super(`${path} was changed while it was uploaded: upload it again`)
  }
}

/** The metadata key of a file's permissions, in octal digits. */
const modeKey = 'mode'
const permissions = 0o777

// #region unchanged
/** The stored parts that the file still has. */
async function unchanged(
  file: FileHandle,
  parts: StoredPart[],
  signal: AbortSignal | undefined,
): Promise<StoredPart[]> {
  const buffer = Buffer.allocUnsafeSlow(partSize)
  const same: StoredPart[] = []
  for (const part of parts) {
    signal?.throwIfAborted()
    const data = buffer.subarray(0, await readPart(file, buffer, part.number))
    if (data.length === part.bytes && crc32Of(data) === part.crc32) same.push(part)
  }
  return same
}
// #endregion unchanged

/** Whether a file consists of these parts. */
async function hasParts(path: string, size: number, parts: StoredPart[], signal: AbortSignal | undefined) {
  if ((await stat(path)).size !== size) return false
  await using file = await open(path)
  return (await unchanged(file, parts, signal)).length === parts.length
}

const bytesOfPart = (number: number, size: number) => Math.min(partSize, size - (number - 1) * partSize)

/** Reads a part into a buffer. Returns its length, which is smaller than a part's at the end of the file. */
async function readPart(file: FileHandle, buffer: Buffer, number: number): Promise<number> {
  let bytes = 0
  while (bytes < partSize) {
    const { bytesRead } = await file.read(buffer, bytes, partSize - bytes, (number - 1) * partSize + bytes)
    if (bytesRead === 0) break
    bytes += bytesRead
  }
  return bytes
}

/** Sends the parts of a file that are not stored yet. */
async function sendMissing(
  s3: S3Client,
  path: string,
  file: FileHandle,
  { upload, size, stored }: { upload: Upload; size: number; stored: StoredPart[] },
  options: SendOptions,
): Promise<StoredPart[]> {
  const there = new Set(stored.map(({ number }) => number))
  const numbers = Array.from({ length: Math.ceil(size / partSize) }, (_, at) => at + 1)
  const missing = numbers.filter((number) => !there.has(number))
  const next: NextPart = async (buffer) => {
    const number = missing.shift()
    if (number === undefined) return undefined
    const bytes = await readPart(file, buffer, number)
    if (bytes !== bytesOfPart(number, size)) throw new ChangedError(path)
    return { number, bytes }
  }
  return await sendParts(s3, upload, next, options)
}

/** Begins the journal of an upload. Without one nobody would find the upload again, so it then ends. */
async function recordUpload(
  s3: S3Client,
  path: string,
  head: Parameters<typeof beginJournal>[1],
): Promise<OpenJournal> {
  try {
    return await beginJournal(path, head)
  } catch (error) {
    await abortUpload(s3, head, error)
    throw error
  }
}

/**
 * Gives up the interrupted upload of a file: the store forgets its parts.
 *
 * @returns whether there was an upload to give up
 * @throws an Error when another process uploads the file, or somebody's own file has the journal's name
 */
export async function discardUpload(s3: S3Client, path: string): Promise<boolean> {
  return await inTurn(path, async () => {
    if (!(await readJournal(path))) return false
    await using _ = await lock(path)
    return await discard(s3, path)
  })
}

async function discard(s3: S3Client, path: string): Promise<boolean> {
  const journal = await readJournal(path)
  if (journal) await abortUpload(s3, journal.head)
  // Not earlier: with the journal, aborting can be retried.
  await removeJournal(path)
  return journal !== undefined
}

export interface FileDownload {
  bytes: number
  /** Parts that an earlier, interrupted download had left. */
  resumed: number
  /** Which of the store's checksums confirms the file. Undefined where the store has none that we can compute. */
  verified: 'CRC-32' | 'MD5' | undefined
}

/**
 * Downloads an object into a file. The file gets its name when it is complete and its checksum is right. Until then the
 * data is in another file beside it, from which an interrupted download resumes if the object is still the same and has
 * a checksum that will prove the whole right.
 *
 * The file keeps its permissions if it exists. A new one gets those of the file that `uploadFile` sent, less the umask.
 * A symbolic link stays, and the file that it leads to is written.
 *
 * @throws an Error when the object changes in the meantime, another process downloads to the file, the disk is full, or
 *   the data is damaged
 */
export async function downloadFile(
  s3: S3Client,
  target: Target,
  name: string,
  options: TransferOptions = {},
): Promise<FileDownload> {
  // Before anything travels: at the end, no file could get this name.
  if (/(^|\/)$/.test(name)) throw new FolderError(name || '.')
  const path = await fileOf(name)
  return await inTurn(path, async () => {
    await using _ = await lock(path)
    const info = await headObject(s3, target, options.signal)
    try {
      return await download(s3, target, path, info, options)
    } catch (error) {
      // What an earlier run had left was damaged. This one starts with nothing.
      if (!(error instanceof StaleError)) throw error
      return await download(s3, target, path, info, options)
    }
  })
}

class StaleError extends DamagedError {}

/**
 * The file that a name leads to. A download gives its file a name at the end, which would replace a link; those who
 * write through it, as `cp` and `curl` do, would be surprised.
 */
async function fileOf(name: string): Promise<string> {
  const path = await realpath(name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (path !== undefined) return path
  // The file that a link leads to may not exist yet.
  const to = await readlink(name).catch(() => undefined)
  if (to === undefined) return name
  return await fileOf(isAbsolute(to) ? to : `${await realpath(dirname(name))}/${to}`)
}

async function download(
  s3: S3Client,
  target: Target,
  path: string,
  info: ObjectInfo,
  options: TransferOptions,
): Promise<FileDownload> {
  const { partSize: size = partSize } = info
  const unfinished = partialOf(path, info.etag)
  const left = (await stat(unfinished).catch(() => undefined))?.size ?? 0
  await requireSpace(path, info.bytes - left)
  const { file, mode } = await openUnfinished(unfinished, path, info)
  let resumed = 0
  try {
    const verifier = new Verifier(info)
    const there = (await file.stat()).size
    if (proofOf(info)) resumed = Math.floor(Math.min(there, info.bytes) / size)
    const part = Buffer.allocUnsafeSlow(size)
    for (let number = 0; number < resumed; number++) {
      options.signal?.throwIfAborted()
      await file.read(part, 0, size, number * size)
      verifier.add(part)
    }
    let position = resumed * size
    for await (const data of downloadParts(s3, target, info, { ...options, from: resumed + 1 })) {
      verifier.add(data)
      await writeAll(file, data, position)
      position += data.length
    }
    const verified = verifier.verify(`${target.bucket}/${target.key}`)
    await file.truncate(info.bytes)
    await file.chmod(mode)
    await file.sync()
    await rename(unfinished, path)
    return { bytes: info.bytes, resumed, verified }
  } catch (error) {
    // A full disk needs the space, and damaged data is of no use.
    if (isFull(error) || error instanceof DamagedError) await rm(unfinished, { force: true })
    if (error instanceof DamagedError && resumed > 0) throw new StaleError(error.message)
    throw isFull(error) ? fullDisk(path, error) : error
  } finally {
    await file.close()
  }
}

/** Writes all of the data: a nearly full disk takes only some of it at first. */
async function writeAll(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done, data.length - done, position + done)).bytesWritten
  }
}

/** Opens the file that holds a download until it is complete, and says which permissions it will have then. */
async function openUnfinished(unfinished: string, path: string, { metadata }: ObjectInfo) {
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isDirectory()) throw new FolderError(path)
  // Renaming would replace /dev/null.
  if (existing && !existing.isFile()) throw new Error(`${path} is a device or pipe: name a file`)
  // Without leading zeros: nobody's permissions are `0`.
  const given = /^[0-7]{1,3}$/.test(metadata[modeKey] ?? '') ? Number.parseInt(metadata[modeKey] ?? '', 8) : 0o666
  const wanted = existing ? existing.mode & permissions : given
  // Never more open than the file will be; and its owner can continue even one that may not be written later.
  const file = await open(unfinished, constants.O_RDWR | constants.O_CREAT, wanted | 0o600)
  const created = (await file.stat()).mode
  return { file, mode: existing ? wanted : wanted & created }
}

/** The file that holds a download until it is complete. Each version of an object has its own ETag and file. */
export function partialOf(path: string, etag: string): string {
  return beside(path, `.${etag.replaceAll(/\W/g, '').slice(0, 64)}.partial`)
}

/** Checks, before the first byte travels, that the disk has room for a file. */
async function requireSpace(path: string, bytes: number) {
  const { bavail, bsize, blocks } = await statfs(dirname(path))
  // Some network file systems do not say how large they are.
  if (blocks === 0 || bavail * bsize >= bytes) return
  throw new Error(`${path} needs ${inBytes(bytes)}, and its disk has ${inBytes(bavail * bsize)} left`)
}

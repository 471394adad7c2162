/**
 * Folders copied between this machine and a host. What differs is found out by one command that prints the checksums at
 * the other end; the files travel together over one SFTP session; what has arrived is compared by its checksum, and only
 * then gets its name. So a transfer that was interrupted, also by the end of this process, is simply begun again.
 */
import { createHash, hash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, posix, sep } from 'node:path'
import pLimit from 'p-limit'
import {
  chunksOf,
  listFolder,
  makeFolders,
  mostOpenFiles,
  type OverSftp,
  type RemoteFiles,
  type Requests,
  type Run,
  unfinishedName,
  whyNotWritten,
  withFile,
} from './files.ts'
import { fromHome } from './quote.ts'
import { chunkBytes, type RemoteFileError, type Sftp } from './sftp.ts'

export interface TransferOptions {
  /** Only these files, by their paths within the folder with `/`; all of them when not given. */
  only?: readonly string[]
  signal?: AbortSignal | undefined
  /** Called after each piece. */
  onProgress?: (progress: TransferProgress) => void
}

/** What is done, and what there is to do: only files that differ count. */
export interface TransferProgress {
  files: number
  totalFiles: number
  bytes: number
  totalBytes: number
}

/**
 * What was copied. A file that is the same at both ends, by its SHA-256, is not copied again; one that was begun goes on
 * where it stopped; none is seen under its name before all of it is there and has the right checksum.
 */
export interface Transfer {
  /** Files copied, and their bytes that travelled. */
  files: number
  bytes: number
  /** Files that were the same already. */
  unchanged: number
  /** Bytes that an interrupted transfer had left. */
  resumedBytes: number
  /** Whether both ends' checksums were compared: false where the host has neither sha256sum nor shasum. */
  verified: boolean
  /** What is neither a file nor a folder and was left out, such as links. */
  skipped: string[]
}

interface Item {
  /** Its path within the folder, with `/`. */
  name: string
  /** Where it is known already. */
  bytes?: number
  sha256?: string
}

/** What is not yet whole, here or there, of this transfer or somebody else's. */
const isUnfinished = (name: string) => /(^|\/)\.[^/]+\.[\da-f-]{16,36}\.part$/.test(name)
/** Below this size finding out how much of a file is there costs more than sending it. */
const worthResumingBytes = 8 * chunkBytes

export function transfers(
  host: string,
  run: Run,
  overSftp: OverSftp,
  requests: Requests,
): Pick<RemoteFiles, 'upload' | 'download'> {
  const files = pLimit(mostOpenFiles)

  async function upload(localFolder: string, remoteFolder: string, options: TransferOptions = {}): Promise<Transfer> {
    const { signal } = options
    const folder = fromHome(remoteFolder)
    const over: OverSftp = (use) => overSftp(use, signal)
    const { items, skipped } = await localItems(localFolder, options.only)
    const withSums = await Promise.all(
      items.map((item) => files(async () => ({ ...item, sha256: await sha256Of(localPath(localFolder, item.name)) }))),
    )
    await over((sftp) => makeFolders(sftp, folder))
    const there = await checksums(run, folder, items, signal)
    const differing = withSums.filter(({ name, sha256 }) => there?.get(name) !== sha256)
    const folders = new Set(differing.map(({ name }) => posix.dirname(name)).filter((name) => name !== '.'))
    await Promise.all(Array.from(folders, (name) => over((sftp) => makeFolders(sftp, posix.join(folder, name)))))

    const count = counter(differing, options)
    const partOf = ({ name, sha256 }: Item) => unfinishedName(name, (sha256 ?? '').slice(0, 16))
    const send = (item: Item) =>
      files(() =>
        over((sftp) =>
          sendPart(sftp, localPath(localFolder, item.name), posix.join(folder, partOf(item)), item, count),
        ),
      )
    /** Sends them, looks at what has arrived, and gives it its name; what did not arrive whole is returned. */
    const sendAll = async (wanted: Item[]): Promise<Item[]> => {
      await settleAll(wanted.map(send))
      const parts = wanted.map((item) => ({ name: partOf(item) }))
      const arrived = there && (await checksums(run, folder, parts, signal))
      const isWhole = (item: Item) => !arrived || arrived.get(partOf(item)) === item.sha256
      await settleAll(
        wanted.map((item) =>
          files(() =>
            over(async (sftp) => {
              const part = posix.join(folder, partOf(item))
              const target = posix.join(folder, item.name)
              if (!isWhole(item)) await sftp.removeFile(part)
              // After a lost connection the renaming may have been done already.
              else await sftp.rename(part, target).catch((error) => confirmRenamed(sftp, part, target, error))
            }),
          ),
        ),
      )
      return wanted.filter((item) => !isWhole(item))
    }
    // What an interrupted transfer left may not be what this file begins with. Sent as a whole it must be right.
    const wrong = await sendAll(differing)
    for (const { name } of await sendAll(wrong)) {
      throw new Error(`${host}: ${posix.join(folder, name)} arrived with another checksum twice`)
    }
    return { ...count.done(), unchanged: items.length - differing.length, verified: there !== undefined, skipped }
  }

  async function sendPart(sftp: Sftp, from: string, part: string, { name }: Item, count: Counter): Promise<void> {
    const local = await open(from)
    try {
      const { mode, size } = await local.stat()
      const before = size < worthResumingBytes ? 0 : ((await sftp.stat(part).catch(missing))?.size ?? 0)
      const begin = before <= size ? before : 0
      count.resume(name, begin)
      await withFile(sftp, [part, begin > 0 ? 'r+' : 'w', mode & 0o777], async (file) => {
        const underWay: Promise<void>[] = []
        for (let at = begin; at < size; ) {
          count.check()
          const data = await readFully(local, at, Math.min(chunkBytes, size - at))
          if (data.length === 0) break
          const place = at
          const sent = requests(() => sftp.write(file, data, place)).then(() => count.add(name, data.length))
          sent.catch(() => {})
          at += data.length
          if (underWay.push(sent) >= mostUnderWay) await underWay.shift()
        }
        await Promise.all(underWay)
      })
      count.file()
    } catch (error) {
      throw await whyNotWritten(host, sftp, part, posix.join(posix.dirname(part), posix.basename(name)), error)
    } finally {
      await local.close()
    }
  }

  async function download(remoteFolder: string, localFolder: string, options: TransferOptions = {}): Promise<Transfer> {
    const { signal } = options
    const folder = fromHome(remoteFolder)
    const over: OverSftp = (use) => overSftp(use, signal)
    const { items, skipped } = await remoteItems(over, folder, options.only)
    const there = await checksums(run, folder, items, signal)
    const withSums = items.map((item) => ({ ...item, ...sumOf(there, item.name) }))
    const isSame = async ({ name, sha256 }: Item) =>
      sha256 !== undefined && (await sha256Of(localPath(localFolder, name)).catch(missing)) === sha256
    const same = new Set(
      (await Promise.all(withSums.map((item) => files(async () => ((await isSame(item)) ? item.name : []))))).flat(),
    )
    const differing = withSums.filter(({ name }) => !same.has(name))
    await mkdir(localFolder, { recursive: true })
    const folders = new Set(differing.map(({ name }) => dirname(localPath(localFolder, name))))
    for (const path of folders) await mkdir(path, { recursive: true })

    const count = counter(differing, options)
    const receive = (item: Item) =>
      files(() =>
        over((sftp) =>
          receiveFile(sftp, posix.join(folder, item.name), localPath(localFolder, item.name), item, count),
        ),
      )
    const receiveAll = async (wanted: Item[]) => {
      const whole = await settleAll(wanted.map(receive))
      return wanted.filter((_, at) => !whole[at])
    }
    const wrong = await receiveAll(differing)
    // Somebody has written to these since their checksums were taken.
    const again = there && wrong.length > 0 ? await checksums(run, folder, wrong, signal) : undefined
    for (const { name } of await receiveAll(wrong.map(({ name }) => ({ name, ...sumOf(again, name) })))) {
      throw new Error(`${host}: ${posix.join(folder, name)} changed while it was copied`)
    }
    return { ...count.done(), unchanged: same.size, verified: there !== undefined, skipped }
  }

  /** Whether it arrived whole. */
  async function receiveFile(sftp: Sftp, from: string, path: string, item: Item, count: Counter): Promise<boolean> {
    const { name, sha256, bytes } = item
    // Only with its checksum known can a part be told from that of another file.
    const part = unfinishedLocalName(path, sha256?.slice(0, 16) ?? '0'.repeat(16))
    const sum = createHash('sha256')
    // In this order, so that a file that is not there leaves nothing here.
    await withFile(sftp, [from, 'r'], async (file) => {
      const local = await open(part, sha256 === undefined ? 'w' : 'a+', 0o644)
      try {
        let at = (await local.stat()).size
        if (at > 0) for await (const data of createReadStream(part)) sum.update(data)
        count.resume(name, at)
        for await (const data of chunksOf(sftp, file, { begin: at, size: bytes, requests })) {
          count.check()
          await writeFully(local, data, at)
          sum.update(data)
          at += data.length
          count.add(name, data.length)
        }
      } finally {
        await local.close()
      }
    })
    if (sha256 !== undefined && sum.digest('hex') !== sha256) {
      await rm(part, { force: true })
      return false
    }
    await rename(part, path)
    count.file()
    return true
  }

  return { upload, download }
}

/** Requests under way for one file: with 32 kB each, 2 MB on a long link, which is what SSH's own window allows. */
const mostUnderWay = 64

type Counter = ReturnType<typeof counter>

function counter(items: readonly Item[], { signal, onProgress }: TransferOptions) {
  const progress = {
    files: 0,
    totalFiles: items.length,
    bytes: 0,
    totalBytes: items.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
  }
  const doneOf = new Map<string, number>()
  const resumed = new Map<string, number>()
  let travelled = 0
  function tell(name: string, done: number) {
    progress.bytes += done - (doneOf.get(name) ?? 0)
    // Of single files that were asked for, the size comes with them.
    progress.totalBytes = Math.max(progress.totalBytes, progress.bytes)
    doneOf.set(name, done)
    onProgress?.({ ...progress })
  }
  return {
    check: () => signal?.throwIfAborted(),
    /** So much of a file is there: of an earlier run, or of this one before the connection was lost. */
    resume(name: string, bytes: number) {
      resumed.set(name, Math.max(resumed.get(name) ?? 0, bytes))
      if (bytes > 0 || doneOf.has(name)) tell(name, bytes)
    },
    add(name: string, bytes: number) {
      travelled += bytes
      tell(name, (doneOf.get(name) ?? 0) + bytes)
    },
    file() {
      progress.files++
      onProgress?.({ ...progress })
    },
    done: () => ({
      files: items.length,
      bytes: travelled,
      resumedBytes: Array.from(resumed.values()).reduce((sum, bytes) => sum + bytes, 0),
    }),
  }
}

/** All results, or the first error once everything has ended: nothing then goes on behind the caller's back. */
async function settleAll<T>(promises: Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/**
 * The SHA-256 of files at the other end by their names, for those that are there; undefined where no program computes it.
 * The names travel on standard input: there may be more of them than a command line holds.
 */
async function checksums(
  run: Run,
  cwd: string,
  items: readonly Item[],
  signal: AbortSignal | undefined,
): Promise<Map<string, string> | undefined> {
  if (items.length === 0) return new Map()
  const input = items.map(({ name }) => `${name}\0`).join('')
  const script = `if command -v sha256sum; then set sha256sum; elif command -v shasum; then set shasum -a 256; else exit 127; fi >/dev/null
    xargs -0 "$@" -- 2>/dev/null`
  const { code, stdout } = await run(['sh', '-c', script], { cwd, input, repeatable: true, signal })
  if (code === 127) return undefined
  const sums = new Map<string, string>()
  for (const [, escaped, sum = '', name = ''] of stdout.matchAll(/^(\\?)([\da-f]{64}) [ *](.*)$/gm)) {
    // A backslash before the line says that the name has escapes.
    const plain = name.replaceAll(/\\([\\nr])/g, (_, kind: string) => ({ n: '\n', r: '\r' })[kind] ?? '\\')
    sums.set(escaped ? plain : name, sum)
  }
  return sums
}

const sumOf = (sums: Map<string, string> | undefined, name: string) => {
  const sha256 = sums?.get(name)
  return sha256 === undefined ? {} : { sha256 }
}

async function sha256Of(path: string): Promise<string> {
  const { size } = await stat(path)
  if (size < 1 << 20) return hash('sha256', await readFile(path), 'hex')
  const sum = createHash('sha256')
  for await (const data of createReadStream(path, { highWaterMark: 1 << 20 })) sum.update(data)
  return sum.digest('hex')
}

async function localItems(folder: string, only: readonly string[] | undefined) {
  if (only) {
    const names = Array.from(new Set(only.map(inside)))
    const items = names.map(async (name) => ({ name, bytes: (await stat(localPath(folder, name))).size }))
    return { items: await Promise.all(items), skipped: [] }
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const items: Item[] = []
  const skipped: string[] = []
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(join(folder, sep).length).replaceAll(sep, '/')
    if (isUnfinished(name) || entry.isDirectory()) continue
    if (entry.isFile()) items.push({ name, bytes: (await stat(path)).size })
    else skipped.push(name)
  }
  return { items, skipped }
}

async function remoteItems(over: OverSftp, folder: string, only: readonly string[] | undefined) {
  if (only) {
    // Their sizes come with them: asking now would be a round trip more.
    return { items: Array.from(new Set(only.map(inside)), (name): Item => ({ name })), skipped: [] }
  }
  const items: Item[] = []
  const skipped: string[] = []
  async function walk(path: string): Promise<void> {
    const entries = await over((sftp) => listFolder(sftp, posix.join(folder, path)))
    await Promise.all(
      entries.map(async ({ name: own, kind, bytes }) => {
        // A host that names a file `../.bashrc` wants to write where it should not.
        if (own.includes('/') || own.includes(sep) || own.includes('\0')) {
          throw new Error(`${posix.join(folder, path)} lists ${JSON.stringify(own)}, which is no name of a file`)
        }
        const name = posix.join(path, own)
        if (kind === 'folder') await walk(name)
        else if (kind === 'other') skipped.push(name)
        else if (!isUnfinished(name)) items.push({ name, bytes })
      }),
    )
  }
  await walk('')
  return { items: items.sort((a, b) => (a.name < b.name ? -1 : 1)), skipped: skipped.sort() }
}

/** A path within a folder, checked not to lead out of it. */
function inside(name: string): string {
  const plain = posix.normalize(name)
  if (posix.isAbsolute(plain) || plain === '..' || plain.startsWith('../')) {
    throw new Error(`only: received ${JSON.stringify(name)}; accepts paths within the folder`)
  }
  return plain
}

const localPath = (folder: string, name: string) => join(folder, ...name.split('/'))

function unfinishedLocalName(path: string, tag: string): string {
  return join(dirname(path), unfinishedName(path.slice(dirname(path).length).replace(/^[/\\]/, ''), tag))
}

function missing(error: NodeJS.ErrnoException | RemoteFileError): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function confirmRenamed(sftp: Sftp, part: string, target: string, error: unknown): Promise<void> {
  const [before, after] = (await Promise.all([part, target].map((path) => sftp.stat(path).catch(missing)))) as (
    | Stats
    | undefined
  )[]
  if (before !== undefined || after === undefined) throw error
}

async function readFully(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

async function writeFully(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let written = 0; written < data.length; ) {
    written += (await file.write(data, written, data.length - written, position + written)).bytesWritten
  }
}

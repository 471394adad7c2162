/**
 * Copies folders between this machine and a host, which ssh2 cannot do in a way that survives interruptions. One
 * command prints the checksums at the other end, so that only files that differ travel. They travel together over one
 * SFTP session. A file gets its name only when all of it has arrived with the right checksum, so an interrupted
 * transfer is simply started again, even after the end of this process.
 */
import { createHash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, posix, sep } from 'node:path'
import pLimit from 'p-limit'
import { type Command, fromHome } from './quote.ts'
import { chunkBytes, type OverSftp, type RemoteFileError, type Sftp, unfinishedName } from './sftp.ts'

export interface TransferOptions {
  /** Only these files, by their paths within the folder with `/`; by default all of them. */
  only?: readonly string[]
  signal?: AbortSignal | undefined
  /** Called after each chunk. */
  onProgress?: (progress: TransferProgress) => void
}

/** A transfer's progress. Files that are the same at both ends do not count. */
export interface TransferProgress {
  files: number
  totalFiles: number
  bytes: number
  totalBytes: number
}

/**
 * What was copied. A file with the same SHA-256 at both ends is not copied again; an unfinished file is resumed where
 * it stopped.
 */
export interface Transfer {
  /** Files copied, and the bytes of them that travelled. */
  files: number
  bytes: number
  /** Files that were already the same. */
  unchanged: number
  /** Bytes that an interrupted transfer had left behind. */
  resumedBytes: number
  /** Whether checksums were compared: false where the host has neither sha256sum nor shasum. */
  verified: boolean
  /** What is neither a file nor a folder and was left out, such as links. */
  skipped: string[]
}

export interface Transfers {
  /** Copies a local folder's files into a remote folder. */
  upload: (localFolder: string, remoteFolder: string, options?: TransferOptions) => Promise<Transfer>
  /** Copies a remote folder's files into a local folder. */
  download: (remoteFolder: string, localFolder: string, options?: TransferOptions) => Promise<Transfer>
}

/** Runs a command on the host. */
export type Run = (
  command: Command,
  options: { cwd: string; input: string; repeatable: true; signal: AbortSignal | undefined },
) => Promise<{ code: number; stdout: string }>

interface Item {
  /** Its path within the folder, with `/`. */
  name: string
  /** Where it is known already. */
  bytes?: number
  sha256?: string
}

/** Files open at once: enough to fill a long link, and far fewer than a server lets one process open. */
export const mostOpenFiles = 128
/** Below this size, asking how much of a file has arrived costs more than sending it. */
const worthResumingBytes = 8 * chunkBytes
/** Whether a name belongs to a file that is not complete yet, of this transfer or another. */
const isUnfinished = (name: string) => /(^|\/)\.[^/]+\.[\da-f-]{16,36}\.part$/.test(name)

export function transfers(host: string, run: Run, overSftp: OverSftp): Transfers {
  const files = pLimit(mostOpenFiles)

  async function upload(localFolder: string, remoteFolder: string, options: TransferOptions = {}): Promise<Transfer> {
    const { signal } = options
    const folder = fromHome(remoteFolder)
    const over: OverSftp = (use) => overSftp(use, signal)
    const { items, skipped } = await localItems(localFolder, options.only)
    const withSums = await Promise.all(
      items.map((item) => files(async () => ({ ...item, sha256: await sha256Of(localPath(localFolder, item.name)) }))),
    )
    await over((sftp) => sftp.makeFolders(folder))
    const there = await checksums(run, folder, items, signal)
    const differing = withSums.filter(({ name, sha256 }) => there?.get(name) !== sha256)
    const folders = new Set(differing.map(({ name }) => posix.dirname(name)).filter((name) => name !== '.'))
    await Promise.all(Array.from(folders, (name) => over((sftp) => sftp.makeFolders(posix.join(folder, name)))))

    const count = counter(differing, options)
    const partOf = ({ name, sha256 }: Item) => unfinishedName(name, (sha256 ?? '').slice(0, 16))
    const send = (item: Item) =>
      files(() =>
        over((sftp) =>
          sendPart(sftp, localPath(localFolder, item.name), posix.join(folder, partOf(item)), item, count),
        ),
      )
    /**
     * Sends files, checks what has arrived, and renames what is intact. Returns the files that did not arrive intact.
     */
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
              // It may have been renamed already, before the connection was lost.
              else await sftp.rename(part, target).catch((error) => confirmRenamed(sftp, part, target, error))
            }),
          ),
        ),
      )
      return wanted.filter((item) => !isWhole(item))
    }
    // A part left by an interrupted transfer may belong to another version of the file. Sent as a whole, the file must
    // be right.
    const wrong = await sendAll(differing)
    for (const { name } of await sendAll(wrong)) {
      throw new Error(`${host}: ${posix.join(folder, name)} arrived with another checksum twice`)
    }
    return { ...count.done(), unchanged: items.length - differing.length, verified: there !== undefined, skipped }
  }

  async function sendPart(sftp: Sftp, from: string, part: string, { name }: Item, count: Counter): Promise<void> {
    const { mode, size } = await stat(from)
    try {
      const before = size < worthResumingBytes ? 0 : ((await sftp.stat(part).catch(missing))?.size ?? 0)
      const begin = before <= size ? before : 0
      count.resume(name, begin)
      await sftp.withFile(part, { flags: begin > 0 ? 'r+' : 'w', mode: mode & 0o777 }, async (file) => {
        if (begin === size) return
        const rest = createReadStream(from, { start: begin, end: size - 1, highWaterMark: chunkBytes })
        await sftp.write(file, rest, { begin, onWritten: (bytes) => count.add(name, bytes) })
      })
      count.file()
    } catch (error) {
      throw await sftp.writingFailed(part, posix.join(posix.dirname(part), posix.basename(name)), error)
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
    // Somebody wrote to these files after their checksums were computed.
    const again = there && wrong.length > 0 ? await checksums(run, folder, wrong, signal) : undefined
    for (const { name } of await receiveAll(wrong.map(({ name }) => ({ name, ...sumOf(again, name) })))) {
      throw new Error(`${host}: ${posix.join(folder, name)} changed while it was copied`)
    }
    return { ...count.done(), unchanged: same.size, verified: there !== undefined, skipped }
  }

  /** Returns whether the file arrived intact. */
  async function receiveFile(sftp: Sftp, from: string, path: string, item: Item, count: Counter): Promise<boolean> {
    const { name, sha256, bytes } = item
    // Without the checksum, a part cannot be told from a part of another file.
    const part = unfinishedLocalName(path, sha256?.slice(0, 16) ?? '0'.repeat(16))
    const sum = createHash('sha256')
    // In this order, a missing file leaves nothing here.
    await sftp.withFile(from, { flags: 'r' }, async (file) => {
      const local = await open(part, sha256 === undefined ? 'w' : 'a+', 0o644)
      try {
        const begin = (await local.stat()).size
        if (begin > 0) for await (const data of createReadStream(part)) sum.update(data)
        count.resume(name, begin)
        for await (const data of sftp.read(file, { begin, size: bytes })) {
          await local.appendFile(data)
          sum.update(data)
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
    // The sizes of files named with `only` become known along the way.
    progress.totalBytes = Math.max(progress.totalBytes, progress.bytes)
    doneOf.set(name, done)
    onProgress?.({ ...progress })
  }
  return {
    /** Records how much of a file has arrived already: in an earlier run, or before the connection was lost. */
    resume(name: string, bytes: number) {
      resumed.set(name, Math.max(resumed.get(name) ?? 0, bytes))
      if (bytes > 0 || doneOf.has(name)) tell(name, bytes)
    },
    /** Records that a chunk has travelled. @throws the signal's reason */
    add(name: string, bytes: number) {
      signal?.throwIfAborted()
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

/** All results, or the first error once everything has ended, so that nothing runs on behind the caller's back. */
async function settleAll<T>(promises: Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/**
 * The SHA-256 of files at the other end, by name, for those that exist; undefined where no program computes it. The
 * names are sent on standard input, because there may be more of them than a command line holds.
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
    // A backslash at the beginning of the line means that the name contains escapes.
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
    // Their sizes arrive with the files: asking now would cost a round trip.
    return { items: Array.from(new Set(only.map(inside)), (name): Item => ({ name })), skipped: [] }
  }
  const items: Item[] = []
  const skipped: string[] = []
  async function walk(path: string): Promise<void> {
    const entries = await over((sftp) => sftp.list(posix.join(folder, path)))
    await Promise.all(
      entries.map(async ({ name: own, kind, bytes }) => {
        // A host that names a file `../.bashrc` wants to write where it should not.
        if (own.includes('/') || own.includes(sep) || own.includes('\0')) {
          throw new Error(`${posix.join(folder, path)} lists ${JSON.stringify(own)}, which is not a file name`)
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

/** Checks that a path does not lead out of its folder. */
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

/** After a failed rename: it was done if only the target exists. */
async function confirmRenamed(sftp: Sftp, part: string, target: string, error: unknown): Promise<void> {
  const [before, after] = await Promise.all([part, target].map((path) => sftp.stat(path).catch(missing)))
  if (before !== undefined || after === undefined) throw error
}

/**
 * Copies folders between this machine and a host, which ssh2 cannot do in a way that survives interruptions. One
 * command prints the checksums at the other end, so that only files that differ travel. They travel together over one
 * SFTP session. A file gets its name only when all of it has arrived with the right checksum, so an interrupted
 * transfer is simply started again, even after the end of this process.
 */
import { createHash, hash, randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, posix, sep } from 'node:path'
import pLimit from 'p-limit'
import { type Command, fromHome } from './quote.ts'
import { chunkBytes, modeLike, type OverSftp, type RemoteFileError, type Sftp, unfinishedName } from './sftp.ts'

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
  /** What was left out: links and the like, and files whose names are not UTF-8. */
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
) => Promise<{ code: number; stdout: string; stderr: string }>

interface Item {
  /** Its path within the folder, with `/`. */
  name: string
  // The others where they are known already.
  bytes?: number
  mode?: number
  sha256?: string | undefined
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
    const over: OverSftp = (use, more) => overSftp(use, { signal, ...more })
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
    const send = (item: Item) => {
      let hasBegun = false
      const use = (sftp: Sftp) => {
        const again = hasBegun
        hasBegun = true
        return sendPart(sftp, localPath(localFolder, item.name), posix.join(folder, partOf(item)), item, again, count)
      }
      return files(() => over(use, { progress: count.reached }))
    }
    /**
     * Sends files, checks what has arrived, and renames what is intact. Returns the files that did not arrive intact.
     */
    const sendAll = async (wanted: Item[]): Promise<Item[]> => {
      const sent = await settleAll(wanted.map(send))
      const parts = wanted.map((item) => ({ name: partOf(item) }))
      const arrived = there && (await checksums(run, folder, parts, signal))
      const isWhole = (item: Item) => !arrived || arrived.get(partOf(item)) === item.sha256
      await settleAll(
        wanted.map((item, at) =>
          files(() =>
            over(async (sftp) => {
              const part = posix.join(folder, partOf(item))
              if (isWhole(item)) await finish(sftp, part, posix.join(folder, item.name), sent[at])
              else await sftp.removeFile(part).catch(missing)
            }),
          ),
        ),
      )
      return wanted.filter((item) => !isWhole(item))
    }
    // A part left by an interrupted transfer may belong to another version of the file, or somebody has written to the
    // file since its checksum was computed. Sent as a whole, as it is now, it must be right.
    const now = async ({ name }: Item): Promise<Item> => {
      const path = localPath(localFolder, name)
      return { name, bytes: (await stat(path)).size, sha256: await sha256Of(path) }
    }
    const wrong = await sendAll(differing)
    for (const { name, sha256 } of await sendAll(await Promise.all(wrong.map((item) => files(() => now(item)))))) {
      const path = localPath(localFolder, name)
      if ((await sha256Of(path)) !== sha256) throw new Error(`${path} changed while it was copied`)
      throw new Error(`${host}: ${posix.join(folder, name)} arrived with another checksum twice`)
    }
    return { ...count.done(), unchanged: items.length - differing.length, verified: there !== undefined, skipped }
  }

  /** Sends a file, or the rest of it. `again` says that this transfer has begun it already. */
  async function sendPart(sftp: Sftp, from: string, part: string, item: Item, again: boolean, count: Counter) {
    const { mode, size } = await stat(from)
    // Its owner must be able to write it until it is complete, and nobody may do more with it than with the file.
    const writable = mode | 0o600
    try {
      const before = again || size >= worthResumingBytes ? await sftp.stat(part).catch(missing) : undefined
      const begin = before && before.size <= size ? before.size : 0
      count.resume(item.name, begin)
      if (before) {
        const own = modeLike(writable, before.mode)
        if (own !== (before.mode & 0o777)) await sftp.setMode(part, own)
      }
      await sftp.withFile(part, { flags: begin > 0 ? 'r+' : 'w', mode: writable & 0o777 }, async (file) => {
        if (begin === size) return
        const rest = createReadStream(from, { start: begin, end: size - 1, highWaterMark: chunkBytes })
        await sftp.write(file, rest, { begin, onWritten: (bytes) => count.add(item.name, bytes) })
      })
      count.file()
      return { mode, hasOtherMode: mode !== writable }
    } catch (error) {
      throw await sftp.writingFailed(part, posix.join(posix.dirname(part), posix.basename(item.name)), error)
    }
  }

  /** Gives a complete file its mode and its name. */
  async function finish(sftp: Sftp, part: string, target: string, sent?: { mode: number; hasOtherMode: boolean }) {
    try {
      if (sent?.hasOtherMode) await sftp.setMode(part, modeLike(sent.mode, (await sftp.stat(part)).mode))
      await sftp.rename(part, target)
    } catch (error) {
      // It may have been renamed already, before the connection was lost.
      await confirmRenamed(sftp, part, target, error)
    }
  }

  async function download(remoteFolder: string, localFolder: string, options: TransferOptions = {}): Promise<Transfer> {
    const { signal } = options
    const folder = fromHome(remoteFolder)
    const over: OverSftp = (use, more) => overSftp(use, { signal, ...more })
    const { items, skipped } = await remoteItems(over, folder, options.only)
    const there = await checksums(run, folder, items, signal)
    const withSums = items.map((item) => ({ ...item, sha256: there?.get(item.name) }))
    const isSame = async ({ name, sha256, mode }: Item) => {
      const path = localPath(localFolder, name)
      // What cannot be read here is copied again: if it cannot be replaced either, the error then names it.
      if (sha256 === undefined || (await sha256Of(path).catch(() => undefined)) !== sha256) return false
      if (mode !== undefined) await setModeLike({ stat: () => stat(path), chmod: (own) => chmod(path, own) }, mode)
      return true
    }
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
        over(
          (sftp) => receiveFile(sftp, posix.join(folder, item.name), localPath(localFolder, item.name), item, count),
          { progress: count.reached },
        ),
      )
    const receiveAll = async (wanted: Item[]) => {
      const whole = await settleAll(wanted.map(receive))
      return wanted.filter((_, at) => !whole[at])
    }
    const wrong = await receiveAll(differing)
    // Somebody wrote to these files after their checksums were computed.
    const again = there && (await checksums(run, folder, wrong, signal))
    for (const { name } of await receiveAll(wrong.map(({ name }) => ({ name, sha256: again?.get(name) })))) {
      throw new Error(`${host}: ${posix.join(folder, name)} changed while it was copied`)
    }
    return { ...count.done(), unchanged: same.size, verified: there !== undefined, skipped }
  }

  /** Returns whether the file arrived intact. */
  async function receiveFile(sftp: Sftp, from: string, path: string, item: Item, count: Counter): Promise<boolean> {
    const { name, sha256, mode: known, bytes } = item
    // Without the checksum, a part cannot be told from a part of another file, and nobody goes on with it.
    const part = unfinishedLocalName(path, sha256?.slice(0, 16) ?? randomUUID())
    const sum = createHash('sha256')
    // Asked for together with the file, so that it costs no time.
    const asked = known === undefined ? sftp.stat(from) : Promise.resolve({ mode: known, size: bytes })
    asked.catch(() => {})
    let isRemoved = false
    // In this order, a missing file leaves nothing here.
    await sftp.withFile(from, { flags: 'r' }, async (file) => {
      const { mode, size } = await asked
      // Until it is complete it must be possible to write it, and nobody may do more with it than with the file.
      const writable = (mode & 0o777) | 0o600
      // Another download of the same file may be at work: in the same places it writes the same bytes.
      const local = await open(part, constants.O_RDWR | constants.O_CREAT, writable)
      try {
        await setModeLike(local, writable)
        // #region resume
        let begin = 0
        for await (const data of local.createReadStream({ autoClose: false })) {
          sum.update(data)
          begin += data.length
        }
        count.resume(name, begin)
        for await (const data of sftp.read(file, { begin, size })) {
          await local.writeFile(data).catch((error) => notWritten(part, path, error))
          sum.update(data)
          count.add(name, data.length)
        }
        // #endregion resume
        await setModeLike(local, mode)
        isRemoved = (await local.stat()).nlink === 0
      } catch (error) {
        if (sha256 === undefined) await rm(part, { force: true })
        throw error
      } finally {
        await local.close()
      }
    })
    if (sha256 !== undefined && sum.digest('hex') !== sha256) {
      await rm(part, { force: true })
      return false
    }
    if (isRemoved) return false
    try {
      await rename(part, path)
    } catch (error) {
      // The other download may have renamed it already.
      const isThere = sha256 !== undefined && (await sha256Of(path).catch(() => undefined)) === sha256
      if (!isThere) await notWritten(part, path, error as NodeJS.ErrnoException)
    }
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
  const begun = new Map<string, number>()
  let travelled = 0
  let reached = 0
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
      // A file that arrived damaged begins anew, and advances again.
      reached += Math.max(0, bytes - (begun.get(name) ?? 0))
      begun.set(name, bytes)
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
      reached++
      onProgress?.({ ...progress })
    },
    /** Grows with each file that is complete, and with each part that an attempt goes on with. */
    reached: () => reached,
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
  // Alone, a minus would mean standard input.
  const input = items.map(({ name }) => `./${name}\0`).join('')
  const script = `if command -v sha256sum; then set sha256sum; elif command -v shasum; then set shasum -a 256; else exit 127; fi >/dev/null
    xargs -0 "$@" -- 2>/dev/null`
  const { code, stdout } = await run(['sh', '-c', script], { cwd, input, repeatable: true, signal })
  if (code === 127) return undefined
  const sums = new Map<string, string>()
  // A name may contain everything else that ends a line in Unicode.
  for (const line of stdout.split('\n')) {
    const [, escaped, sum = '', name = ''] = /^(\\?)([\da-f]{64}) [ *]\.\/(.*)$/s.exec(line) ?? []
    // A backslash at the beginning of the line means that the name contains escapes.
    const plain = name.replaceAll(/\\([\\nr])/g, (_, kind: string) => ({ n: '\n', r: '\r' })[kind] ?? '\\')
    sums.set(escaped ? plain : name, sum)
  }
  return sums
}

interface HasMode {
  stat: () => Promise<{ mode: number }>
  chmod: (mode: number) => Promise<void>
}

/** Gives a local file the mode of another one, as far as the umask allows. */
async function setModeLike(file: HasMode, mode: number): Promise<void> {
  const { mode: has } = await file.stat()
  const own = modeLike(mode, has)
  if (own !== (has & 0o777)) await file.chmod(own)
}

/** Removes an unfinished file that cannot be written any more: on a full disk it would take the place of others. */
async function notWritten(part: string, path: string, cause: NodeJS.ErrnoException): Promise<never> {
  await rm(part, { force: true })
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(cause.code ?? '') ? ': the disk or your quota is full' : ''
  throw new Error(`${path} cannot be written${full}`, { cause })
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
  const items: Item[] = []
  const skipped: string[] = []
  const seen = new Set<string>()
  async function walk(path: string): Promise<void> {
    for (const entry of await readdir(localPath(folder, path), { withFileTypes: true })) {
      const name = posix.join(path, entry.name)
      // A name that is not UTF-8 was read as another one, which names nothing, or another file.
      const found = seen.has(name) ? undefined : await lstat(localPath(folder, name)).catch(missing)
      seen.add(name)
      if (!found) skipped.push(name)
      else if (entry.isDirectory()) await walk(name)
      else if (!entry.isFile()) skipped.push(name)
      else if (!isUnfinished(name)) items.push({ name, bytes: found.size })
    }
  }
  await walk('')
  return { items, skipped }
}

async function remoteItems(over: OverSftp, folder: string, only: readonly string[] | undefined) {
  if (only) {
    // Their sizes arrive with the files: asking now would cost a round trip.
    return { items: Array.from(new Set(only.map(inside)), (name): Item => ({ name })), skipped: [] }
  }
  const items: Item[] = []
  const skipped: string[] = []
  const seen = new Set<string>()
  async function walk(path: string): Promise<void> {
    const entries = await over((sftp) => sftp.list(posix.join(folder, path)))
    await Promise.all(
      entries.map(async ({ name: own, kind, bytes, mode }) => {
        // A host that names a file `../.bashrc` wants to write where it should not.
        if (own.includes('/') || own.includes(sep) || own.includes('\0')) {
          throw new Error(`${posix.join(folder, path)} lists ${JSON.stringify(own)}, which is not a file name`)
        }
        const name = posix.join(path, own)
        const isOther = kind === 'other' || seen.has(name)
        seen.add(name)
        // ssh2 reads names as UTF-8. One that is not was read as another one, which names nothing, or another file.
        const isThere = () => over((sftp) => sftp.lstat(posix.join(folder, name)).catch(missing))
        if (isOther || (own.includes('\ufffd') && !(await isThere()))) skipped.push(name)
        else if (kind === 'folder') await walk(name)
        else if (!isUnfinished(name)) items.push({ name, bytes, mode })
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

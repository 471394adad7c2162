/** One SFTP session, with promises. Every request is answered or fails, even when the connection is lost. */
import { hash } from 'node:crypto'
import { posix } from 'node:path'
import { bytes } from '@repo/common/output/terminal'
import pLimit from 'p-limit'
import type { Attributes, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2'

// The protocol's status codes.
const endOfFile = 1
const noSuchFile = 2
export const permissionDenied = 3

/** An operation on a remote file failed. */
export class RemoteFileError extends Error {
  override name = 'RemoteFileError'
  readonly code: 'ENOENT' | 'EACCES' | 'EIO'
  constructor(host: string, path: string, what: string, cause: unknown) {
    const status = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
    super(`${host}: ${path} cannot be ${what}`, { cause })
    this.code = status === noSuchFile ? 'ENOENT' : status === permissionDenied ? 'EACCES' : 'EIO'
  }
}

export interface RemoteEntry {
  name: string
  kind: 'file' | 'folder' | 'other'
  bytes: number
  /** The permission bits, such as 0o644. */
  mode: number
}

/** An open file on the host. */
export interface Handle {
  path: string
  handle: Buffer
}

/** Uses a session, and a new one after a lost connection. */
export type OverSftp = <T>(use: (sftp: Sftp) => Promise<T>, options?: OverOptions) => Promise<T>

export interface OverOptions {
  signal?: AbortSignal | undefined
  /** A number that grows while attempts achieve something that the next one need not repeat: then they do not count. */
  progress?: (() => number) | undefined
}

/**
 * What every server takes and gives in one request. ssh2 would send more than 31,952 bytes to some servers in two
 * requests, one after the other, and a connection that is lost between them leaves a hole in the file.
 */
export const chunkBytes = 31_952
/** Requests for chunks in flight at once, for all files together. */
const mostRequests = 256
/** Chunks of one file in flight at once: 2 MB, which is the window of an SSH channel. */
const mostAhead = 64

type Done<Value> = (error?: Error | null, value?: Value) => void

export class Sftp {
  readonly #host: string
  readonly #session: SFTPWrapper
  readonly #pending = new Set<(lost: Error) => void>()
  readonly #chunks = pLimit(mostRequests)
  #lost: Error | undefined

  constructor(host: string, session: SFTPWrapper, lost: () => Error) {
    this.#host = host
    this.#session = session
    // ssh2 never answers requests that it can no longer send, nor requests made after that.
    session.once('close', () => {
      this.#lost = lost()
      for (const fail of this.#pending) fail(this.#lost)
      // Where the server closes first, ssh2 leaves out its own half of the close.
      session.end()
    })
  }

  close(): void {
    this.#session.end()
  }

  /** Opens a file, uses it and closes it. */
  async withFile<T>(
    path: string,
    { flags, mode = 0o644 }: { flags: 'r' | 'w' | 'r+'; mode?: number | undefined },
    use: (file: Handle) => Promise<T>,
  ): Promise<T> {
    const handle = await this.#ask<Buffer>(path, flags === 'r' ? 'read' : 'written', (done) =>
      this.#session.open(path, flags, { mode } as never, done),
    )
    const close = () => this.#ask(path, 'closed', (done) => this.#session.close(handle, done))
    let result: T
    try {
      result = await use({ path, handle })
    } catch (error) {
      close().catch(() => {})
      throw error
    }
    // Nothing waits for the close of a file that was read. Closing a written file may still report an error.
    if (flags === 'r') close().catch(() => {})
    else await close()
    return result
  }

  /** A file's content from a given position, in order. Chunks are requested ahead, so that a long link stays full. */
  async *read(
    file: Handle,
    { begin = 0, size: known }: { begin?: number; size?: number | undefined } = {},
  ): AsyncGenerator<Buffer> {
    const ask = (at: number) => {
      const asked = this.#readChunk(file, at)
      asked.catch(() => {})
      return asked
    }
    // The first chunk is requested together with the size: a small file takes one round trip for both.
    const ahead = [ask(begin)]
    const size = known ?? (await this.stat(file)).size
    let at = begin
    for (let next = begin + chunkBytes; ahead.length > 0; ) {
      for (; next < size && ahead.length < mostAhead; next += chunkBytes) ahead.push(ask(next))
      const wanted = Math.min(at + chunkBytes, Math.max(size, at))
      let piece = await ahead.shift()
      // A server may give less than was requested.
      while (piece && piece.length > 0) {
        yield piece
        at += piece.length
        if (at >= wanted) break
        piece = await this.#readChunk(file, at, wanted - at)
      }
      // The file has become shorter in the meantime.
      if (at < wanted) return
    }
  }

  #readChunk({ path, handle }: Handle, position: number, length = chunkBytes): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    return this.#chunks(() =>
      this.#ask<Buffer>(path, 'read', (done) =>
        this.#session.read(handle, buffer, 0, length, position, (error, count) => {
          const atEnd = error !== undefined && Reflect.get(error, 'code') === endOfFile
          done(atEnd ? undefined : error, buffer.subarray(0, atEnd ? 0 : count))
        }),
      ),
    )
  }

  /** Writes chunks of up to `chunkBytes` back to back, without waiting for each answer. */
  async write(
    { path, handle }: Handle,
    chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
    { begin = 0, onWritten }: { begin?: number; onWritten?: (bytes: number) => void } = {},
  ): Promise<void> {
    const underWay: Promise<void>[] = []
    let next = begin
    for await (const chunk of chunks) {
      const at = next
      next += chunk.length
      const written = this.#chunks(() =>
        this.#ask(path, 'written', (done) => this.#session.write(handle, chunk, 0, chunk.length, at, done)),
      ).then(() => onWritten?.(chunk.length))
      written.catch(() => {})
      if (underWay.push(written) >= mostAhead) await underWay.shift()
    }
    await Promise.all(underWay)
  }

  /**
   * Removes an unfinished file after a failure, and returns the error to throw. Servers have no specific error for a
   * full disk, so the message says what may be the reason, and how much is free.
   */
  async writingFailed(unfinished: string, path: string, error: unknown): Promise<unknown> {
    if (!(error instanceof RemoteFileError)) return error
    const why = error.code === 'EIO' ? `: ${await this.#whyNotWritten(path)}` : ''
    await this.removeFile(unfinished).catch(() => {})
    return new RemoteFileError(this.#host, path, `written${why}`, error.cause)
  }

  async #whyNotWritten(path: string): Promise<string> {
    const length = Buffer.byteLength(posix.basename(path))
    if (length > longestNameBytes) return `its name has ${length} bytes, and most systems take ${longestNameBytes}`
    if ((await this.stat(path).catch(() => undefined))?.isDirectory()) return 'there is a folder with this name'
    const free = await this.#freeBytes(posix.dirname(path))
    return `the disk or your quota may be full${free === undefined ? '' : `; ${bytes(free)} are free there`}`
  }

  async stat(file: string | Handle): Promise<Stats> {
    const path = typeof file === 'string' ? file : file.path
    return await this.#ask<Stats>(path, 'read', (done) =>
      typeof file === 'string' ? this.#session.stat(file, done) : this.#session.fstat(file.handle, done),
    )
  }

  /** The entries of a folder, without `.` and `..`, in the order of their names. */
  async list(path: string): Promise<RemoteEntry[]> {
    const found = await this.#ask<FileEntryWithStats[]>(path, 'listed', (done) => this.#session.readdir(path, done))
    const entries = found.map(({ filename, attrs }) => ({
      name: filename,
      kind: attrs.isFile() ? ('file' as const) : attrs.isDirectory() ? ('folder' as const) : ('other' as const),
      bytes: attrs.size,
      mode: attrs.mode & 0o7777,
    }))
    return entries.filter(({ name }) => name !== '.' && name !== '..').sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Makes a folder, and the folders above it. */
  async makeFolders(path: string): Promise<void> {
    try {
      await this.#ask(path, 'made', (done) => this.#session.mkdir(path, done))
    } catch (error) {
      // For a folder that exists, the protocol says only "failure".
      if ((await this.stat(path).catch(() => undefined))?.isDirectory()) return
      const above = posix.dirname(path)
      if (!(error instanceof RemoteFileError) || error.code !== 'ENOENT' || above === path) throw error
      await this.makeFolders(above)
      await this.makeFolders(path)
    }
  }

  async removeFile(path: string): Promise<void> {
    await this.#ask(path, 'removed', (done) => this.#session.unlink(path, done))
  }

  async setMode(path: string, mode: number): Promise<void> {
    await this.#ask(path, 'given its mode', (done) => this.#session.chmod(path, mode, done))
  }

  async realPath(path: string): Promise<string> {
    return await this.#ask<string>(path, 'found', (done) => this.#session.realpath(path, done))
  }

  async lstat(path: string): Promise<Attributes & Stats> {
    return await this.#ask<Stats>(path, 'read', (done) => this.#session.lstat(path, done))
  }

  /** Renames a file over another: in one step where the server has OpenSSH's extension for that. */
  async rename(from: string, to: string): Promise<void> {
    await this.#ask(to, 'written', (done) => {
      try {
        this.#session.ext_openssh_rename(from, to, done)
      } catch {
        // The protocol's own rename does not replace, so for a moment no file has the name.
        this.#session.unlink(to, () => this.#session.rename(from, to, done))
      }
    })
  }

  /** The bytes left for this user on a path's disk; undefined where the server does not tell. */
  async #freeBytes(path: string): Promise<number | undefined> {
    try {
      const found = await this.#ask<{ f_frsize: number; f_bavail: number }>(path, 'read', (done) =>
        this.#session.ext_openssh_statvfs(path, done as never),
      )
      return found.f_frsize * found.f_bavail
    } catch {
      return undefined
    }
  }

  async #ask<Value>(path: string, what: string, request: (done: Done<Value>) => void): Promise<Value> {
    if (this.#lost) throw this.#lost
    const { promise, resolve, reject } = Promise.withResolvers<Value>()
    this.#pending.add(reject)
    try {
      request((error, value) => (error ? reject(error) : resolve(value as Value)))
      return await promise
    } catch (error) {
      if (this.#lost) throw this.#lost
      throw new RemoteFileError(this.#host, path, what, error)
    } finally {
      this.#pending.delete(reject)
    }
  }
}

const longestNameBytes = 255
/** A longer name is shortened in the name of its unfinished file, which some systems limit to 143 bytes. */
const mostShownBytes = 80

/** The name of a file until it is complete: hidden, and in the same folder, so that it can be renamed. */
export function unfinishedName(path: string, tag: string): string {
  const name = posix.basename(path)
  const shown = Buffer.from(name)
    .subarray(0, mostShownBytes)
    .toString()
    .replace(/\ufffd+$/, '')
  const isWhole = Buffer.byteLength(name) <= mostShownBytes
  const unique = isWhole ? name : `${shown}~${hash('sha256', name, 'hex').slice(0, 8)}`
  return posix.join(posix.dirname(path), `.${unique}.${tag}.part`)
}

/**
 * The mode that a file gets which is to have another one's: never a right more than that. `has` is what it was created
 * with, from which the umask has been taken. Who may read it may also execute it, where that is so for the other one.
 */
export function modeLike(wanted: number, has: number): number {
  return (has & wanted & 0o777) | (wanted & (has >> 2) & 0o111)
}

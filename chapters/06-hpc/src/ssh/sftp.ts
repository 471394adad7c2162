/** One SFTP session with promises: every request is answered or fails, also when the connection goes away under it. */
import type { Attributes, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2'

/** What a host answers that does not do something with a file. */
export class RemoteFileError extends Error {
  override name = 'RemoteFileError'
  readonly code: 'ENOENT' | 'EACCES' | 'EIO'
  constructor(host: string, path: string, what: string, cause: unknown) {
    const status = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
    super(`${host}: ${path} cannot be ${what}`, { cause })
    this.code = status === 2 ? 'ENOENT' : status === 3 ? 'EACCES' : 'EIO'
  }
}

/** A file opened at the other end. */
export interface Handle {
  path: string
  handle: Buffer
}

type Done<Value> = (error?: Error | null, value?: Value) => void

export class Sftp {
  readonly #host: string
  readonly #session: SFTPWrapper
  readonly #pending = new Set<(lost: Error) => void>()
  #lost: Error | undefined

  constructor(host: string, session: SFTPWrapper, lost: () => Error) {
    this.#host = host
    this.#session = session
    // ssh2 forgets requests that it can no longer send, and those that are made later.
    session.once('close', () => {
      this.#lost = lost()
      for (const fail of this.#pending) fail(this.#lost)
      // Its half of the closing, which ssh2 leaves out when the server began.
      session.end()
    })
  }

  close(): void {
    this.#session.end()
  }

  async open(path: string, flags: 'r' | 'w' | 'r+', mode = 0o644): Promise<Handle> {
    const handle = await this.#ask<Buffer>(path, flags === 'r' ? 'read' : 'written', (done) =>
      this.#session.open(path, flags, { mode } as never, done),
    )
    return { path, handle }
  }

  /** Up to 32 kB from a place in the file, less at its end. */
  async read({ path, handle }: Handle, position: number, length = chunkBytes): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    return await this.#ask<Buffer>(path, 'read', (done) =>
      this.#session.read(handle, buffer, 0, length, position, (error, count) => {
        const atEnd = error !== undefined && Reflect.get(error, 'code') === endOfFile
        done(atEnd ? undefined : error, buffer.subarray(0, atEnd ? 0 : count))
      }),
    )
  }

  async write({ path, handle }: Handle, data: Buffer, position: number): Promise<void> {
    await this.#ask(path, 'written', (done) => this.#session.write(handle, data, 0, data.length, position, done))
  }

  async stat(file: string | Handle): Promise<Stats> {
    const path = typeof file === 'string' ? file : file.path
    return await this.#ask<Stats>(path, 'read', (done) =>
      typeof file === 'string' ? this.#session.stat(file, done) : this.#session.fstat(file.handle, done),
    )
  }

  async closeFile({ path, handle }: Handle): Promise<void> {
    await this.#ask(path, 'closed', (done) => this.#session.close(handle, done))
  }

  async list(path: string): Promise<FileEntryWithStats[]> {
    return await this.#ask<FileEntryWithStats[]>(path, 'listed', (done) => this.#session.readdir(path, done))
  }

  async makeFolder(path: string): Promise<void> {
    await this.#ask(path, 'made', (done) => this.#session.mkdir(path, done))
  }

  async removeFile(path: string): Promise<void> {
    await this.#ask(path, 'removed', (done) => this.#session.unlink(path, done))
  }

  async removeFolder(path: string): Promise<void> {
    await this.#ask(path, 'removed', (done) => this.#session.rmdir(path, done))
  }

  async realPath(path: string): Promise<string> {
    return await this.#ask<string>(path, 'found', (done) => this.#session.realpath(path, done))
  }

  async lstat(path: string): Promise<Attributes & Stats> {
    return await this.#ask<Stats>(path, 'read', (done) => this.#session.lstat(path, done))
  }

  /** Puts a file in the place of another one, at once where the server has OpenSSH's extension for that. */
  async rename(from: string, to: string): Promise<void> {
    await this.#ask(to, 'written', (done) => {
      try {
        this.#session.ext_openssh_rename(from, to, done)
      } catch {
        // The protocol's own rename does not replace: for a moment there is no file.
        this.#session.unlink(to, () => this.#session.rename(from, to, done))
      }
    })
  }

  /** The bytes left for this user where a path lies; undefined where the server does not tell. */
  async freeBytes(path: string): Promise<number | undefined> {
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

/** What every server takes and gives in one request. */
export const chunkBytes = 32 << 10
const endOfFile = 1

/** Files at the other end, by SFTP. Paths are POSIX paths; relative ones, and `~/…`, begin in the account's home. */
import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import { bytes } from '@repo/common/output/terminal'
import pLimit from 'p-limit'
import type { Command } from '../scheduler/scheduler.ts'
import type { CommandResult, RunOptions } from './connection.ts'
import { fromHome } from './quote.ts'
import { chunkBytes, type Handle, RemoteFileError, type Sftp } from './sftp.ts'
import { type Transfer, type TransferOptions, transfers } from './transfer.ts'

export interface FileOptions {
  signal?: AbortSignal | undefined
}

export interface RemoteEntry {
  name: string
  kind: 'file' | 'folder' | 'other'
  bytes: number
  /** The permission bits, such as 0o644. */
  mode: number
}

/** Everything here can be repeated without harm, and is, after a lost connection. Errors are {@link RemoteFileError}s. */
export interface RemoteFiles {
  /**
   * Many files may be asked for at once, as by `Promise.all`: they then travel together instead of waiting for each other.
   *
   * @throws a {@link RemoteFileError}, with the code ENOENT where there is no such file
   */
  readFile: (path: string, options?: FileOptions) => Promise<Buffer>
  /** Writes the whole file under another name first, so that nobody ever sees half of it; `mode` is 0o644. */
  writeFile: (path: string, content: string | Uint8Array, options?: FileOptions & { mode?: number }) => Promise<void>
  /** What is in a folder, without `.` and `..`, in the order of names. */
  list: (path: string, options?: FileOptions) => Promise<RemoteEntry[]>
  /** Makes a folder, and those above it. */
  mkdir: (path: string, options?: FileOptions) => Promise<void>
  /** Removes a file, or a folder with all that is in it; nothing when there is none. */
  remove: (path: string, options?: FileOptions) => Promise<void>
  /** The absolute path of a path that exists: of `.` the account's home. */
  realPath: (path: string, options?: FileOptions) => Promise<string>
  /** Copies a local folder's files into a remote folder; see {@link Transfer}. */
  upload: (localFolder: string, remoteFolder: string, options?: TransferOptions) => Promise<Transfer>
  /** Copies a remote folder's files into a local folder; see {@link Transfer}. */
  download: (remoteFolder: string, localFolder: string, options?: TransferOptions) => Promise<Transfer>
}

export type Run = (command: Command, options?: RunOptions) => Promise<CommandResult>
export type OverSftp = <T>(use: (sftp: Sftp) => Promise<T>, signal?: AbortSignal) => Promise<T>

/** How many files are open at a time: enough to fill a long link, and few beside what a server lets one process open. */
export const mostOpenFiles = 128
/** How many pieces of one file are asked for ahead: 2 MB, which is what the window of an SSH channel holds. */
const mostAhead = 64
/** How many pieces of 32 kB are under way at a time, of all files together. */
const mostRequests = 256
export type Requests = ReturnType<typeof pLimit>

export function remoteFiles(host: string, run: Run, overSftp: OverSftp): RemoteFiles {
  const limit = pLimit(mostOpenFiles)
  const requests = pLimit(mostRequests)
  /** For one file of many. */
  const bounded: OverSftp = (use, signal) => limit(() => overSftp(use, signal))
  return {
    readFile: (path, { signal } = {}) => bounded((sftp) => readWhole(sftp, fromHome(path), requests), signal),
    async writeFile(path, content, { signal, mode } = {}) {
      const file = { path: fromHome(path), content: Buffer.from(content), mode, tag: randomUUID() }
      await bounded((sftp) => writeWhole(host, sftp, file, requests), signal)
    },
    list: (path, { signal } = {}) => bounded((sftp) => listFolder(sftp, fromHome(path)), signal),
    mkdir: (path, { signal } = {}) => bounded((sftp) => makeFolders(sftp, fromHome(path)), signal),
    remove: (path, { signal } = {}) => bounded((sftp) => removeAll(sftp, fromHome(path)), signal),
    realPath: (path, { signal } = {}) => bounded((sftp) => sftp.realPath(fromHome(path)), signal),
    ...transfers(host, run, overSftp, requests),
  }
}

/** The name a file has until it is whole: beside it, so that it can be renamed, and hidden. */
export function unfinishedName(path: string, tag: string): string {
  return posix.join(posix.dirname(path), `.${posix.basename(path)}.${tag}.part`)
}

/** Opens, uses and closes a file. */
export async function withFile<T>(
  sftp: Sftp,
  [path, flags, mode]: [path: string, flags: 'r' | 'w' | 'r+', mode?: number],
  use: (file: Handle) => Promise<T>,
): Promise<T> {
  const file = await sftp.open(path, flags, mode)
  let result: T
  try {
    result = await use(file)
  } catch (error) {
    sftp.closeFile(file).catch(() => {})
    throw error
  }
  // Nothing depends on when a file that was read is closed; one that was written may fail at last there.
  if (flags === 'r') sftp.closeFile(file).catch(() => {})
  else await sftp.closeFile(file)
  return result
}

async function readWhole(sftp: Sftp, path: string, requests: Requests): Promise<Buffer> {
  return await withFile(sftp, [path, 'r'], async (file) => {
    const parts: Buffer[] = []
    for await (const part of chunksOf(sftp, file, { requests })) parts.push(part)
    return Buffer.concat(parts)
  })
}

/** A file's content from a place on, in order; the pieces are asked for ahead, so that a long link is always full. */
export async function* chunksOf(
  sftp: Sftp,
  file: Handle,
  { begin = 0, size: known, requests }: { begin?: number; size?: number | undefined; requests: Requests },
): AsyncGenerator<Buffer> {
  const ask = (at: number) => {
    const asked = requests(() => sftp.read(file, at))
    asked.catch(() => {})
    return asked
  }
  // The first piece is asked for with the size: a small file then takes one round trip for both.
  const ahead = [ask(begin)]
  const size = known ?? (await sftp.stat(file)).size
  let at = begin
  for (let next = begin + chunkBytes; ahead.length > 0; ) {
    for (; next < size && ahead.length < mostAhead; next += chunkBytes) ahead.push(ask(next))
    const wanted = Math.min(at + chunkBytes, Math.max(size, at))
    let piece = await ahead.shift()
    // A server may give less than it was asked for.
    while (piece && piece.length > 0) {
      yield piece
      at += piece.length
      if (at >= wanted) break
      piece = await requests(() => sftp.read(file, at, wanted - at))
    }
    // It has become shorter meanwhile.
    if (at < wanted) return
  }
}

async function writeWhole(
  host: string,
  sftp: Sftp,
  { path, content, mode, tag }: { path: string; content: Buffer; mode: number | undefined; tag: string },
  requests: Requests,
): Promise<void> {
  const unfinished = unfinishedName(path, tag)
  try {
    await withFile(sftp, [unfinished, 'w', mode], async (file) => {
      const places = Array.from({ length: Math.ceil(content.length / chunkBytes) }, (_, at) => at * chunkBytes)
      const write = (at: number) => requests(() => sftp.write(file, content.subarray(at, at + chunkBytes), at))
      await Promise.all(places.map(write))
    })
    await sftp.rename(unfinished, path)
  } catch (error) {
    throw await whyNotWritten(host, sftp, unfinished, path, error)
  }
}

/** Takes an unfinished file away, and says more than a server does, which has no word for a full disk: how much is free. */
export async function whyNotWritten(
  host: string,
  sftp: Sftp,
  unfinished: string,
  path: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof RemoteFileError)) return error
  const free = error.code === 'EIO' ? await sftp.freeBytes(posix.dirname(path)) : undefined
  await sftp.removeFile(unfinished).catch(() => {})
  const room = free === undefined ? '' : `; ${bytes(free)} are free there`
  const why = error.code === 'EIO' ? `: the disk or your quota may be full${room}` : ''
  return new RemoteFileError(host, path, `written${why}`, error.cause)
}

export async function listFolder(sftp: Sftp, path: string): Promise<RemoteEntry[]> {
  const entries = (await sftp.list(path)).map(({ filename, attrs }) => ({
    name: filename,
    kind: attrs.isFile() ? ('file' as const) : attrs.isDirectory() ? ('folder' as const) : ('other' as const),
    bytes: attrs.size,
    mode: attrs.mode & 0o7777,
  }))
  return entries.filter(({ name }) => name !== '.' && name !== '..').sort((a, b) => (a.name < b.name ? -1 : 1))
}

export async function makeFolders(sftp: Sftp, path: string): Promise<void> {
  try {
    await sftp.makeFolder(path)
  } catch (error) {
    // The protocol says only "failure" where it is there already.
    if ((await sftp.stat(path).catch(() => undefined))?.isDirectory()) return
    const above = posix.dirname(path)
    if (!(error instanceof RemoteFileError) || error.code !== 'ENOENT' || above === path) throw error
    await makeFolders(sftp, above)
    await makeFolders(sftp, path)
  }
}

async function removeAll(sftp: Sftp, path: string): Promise<void> {
  try {
    const found = await sftp.lstat(path)
    if (!found.isDirectory()) return await sftp.removeFile(path)
    const entries = await listFolder(sftp, path)
    await Promise.all(entries.map(({ name }) => removeAll(sftp, posix.join(path, name))))
    await sftp.removeFolder(path)
  } catch (error) {
    if (!(error instanceof RemoteFileError) || error.code !== 'ENOENT') throw error
  }
}

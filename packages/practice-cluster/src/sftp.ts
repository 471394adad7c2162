/**
 * An SFTP server (version 3) for files on this machine. ssh2 speaks the protocol and leaves the file operations to its
 * user.
 */
import { constants, type Stats } from 'node:fs'
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  utimes,
} from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import ssh2, { type Attributes, type FileEntry, type SFTPWrapper } from 'ssh2'
import type { Faults } from './commands.ts'

const { STATUS_CODE: status, OPEN_MODE: mode } = ssh2.utils.sftp

interface WithProtocol {
  _protocol?: { exitStatus: (channel: number, status: number) => void }
  outgoing: { id: number }
}

/** `written` settles after the last write: writes happen in order, so that a file that was cut off has no holes. */
type Handle = { file: FileHandle; append: boolean; written: Promise<unknown> } | { entries: FileEntry[] }
const mostEntries = 100

/** Serves one SFTP channel. Relative paths begin in the home folder. */
export function serveFiles(sftp: SFTPWrapper, home: string, faults: Faults): void {
  const handles = new Map<number, Handle>()
  let nextHandle = 0
  const path = (text: string) => resolve(home, text)

  function give(id: number, handle: Handle) {
    const key = Buffer.alloc(4)
    key.writeUInt32BE(nextHandle)
    handles.set(nextHandle++, handle)
    sftp.handle(id, key)
  }
  const handleOf = (key: Buffer) => (key.length === 4 ? handles.get(key.readUInt32BE()) : undefined)
  function fileOf(key: Buffer) {
    const handle = handleOf(key)
    if (!handle || !('file' in handle)) throw Object.assign(new Error('no such handle'), { code: 'EBADF' })
    return handle
  }
  function giveAttributes(id: number, found: Stats): true {
    sftp.attrs(id, attributesOf(found))
    return true
  }
  /** Handles a request: `work` returns true if it has sent the answer itself. Its errors are sent as the answer. */
  function answer(id: number, work: () => Promise<unknown>) {
    work().then(
      (answered) => answered !== true && sftp.status(id, status.OK),
      (error: NodeJS.ErrnoException) => {
        const code = { ENOENT: status.NO_SUCH_FILE, EACCES: status.PERMISSION_DENIED, EPERM: status.PERMISSION_DENIED }
        sftp.status(id, code[error.code as keyof typeof code] ?? status.FAILURE, error.message)
      },
    )
  }

  // The programs scp and sftp end their side, then wait for ours to end and for an exit status.
  sftp.on('end', () => {
    // ssh2 sends an exit status for commands only.
    const { _protocol: protocol, outgoing } = sftp as SFTPWrapper & WithProtocol
    protocol?.exitStatus(outgoing.id, 0)
    sftp.end()
  })
  sftp.on('OPEN', (id, name, flags, attributes) =>
    answer(id, async () => {
      const file = await open(path(name), openFlags(flags), attributes.mode ?? 0o666)
      give(id, { file, append: Boolean(flags & mode.APPEND), written: Promise.resolve() })
      return true
    }),
  )
  sftp.on('READ', (id, key, offset, length) =>
    answer(id, async () => {
      const { bytesRead, buffer } = await fileOf(key).file.read(
        Buffer.alloc(Math.min(length, 1 << 18)),
        0,
        Math.min(length, 1 << 18),
        offset,
      )
      if (bytesRead === 0) sftp.status(id, status.EOF)
      else sftp.data(id, buffer.subarray(0, bytesRead))
      return true
    }),
  )
  sftp.on('WRITE', (id, key, offset, data) =>
    answer(id, async () => {
      if (data.length > faults.quotaBytes) throw new Error('Disk quota exceeded')
      faults.quotaBytes -= data.length
      const handle = fileOf(key)
      const { file, append, written } = handle
      const write = () => file.write(data, 0, data.length, append ? null : offset)
      const writing = written.then(write)
      handle.written = writing.catch(() => {})
      await writing
    }),
  )
  sftp.on('CLOSE', (id, key) =>
    answer(id, async () => {
      const handle = handleOf(key)
      if (handle) handles.delete(key.readUInt32BE())
      if (handle && 'file' in handle) await handle.file.close()
    }),
  )
  sftp.on('FSTAT', (id, key) => answer(id, async () => giveAttributes(id, await fileOf(key).file.stat())))
  sftp.on('STAT', (id, name) => answer(id, async () => giveAttributes(id, await stat(path(name)))))
  sftp.on('LSTAT', (id, name) => answer(id, async () => giveAttributes(id, await lstat(path(name)))))
  sftp.on('SETSTAT', (id, name, attributes) => answer(id, () => setAttributes(path(name), attributes)))
  sftp.on('FSETSTAT', (id, key, attributes) =>
    answer(id, async () => {
      const { file } = fileOf(key)
      if (attributes.size !== undefined) await file.truncate(attributes.size)
      if (attributes.mode !== undefined) await file.chmod(attributes.mode & 0o7777)
      if (attributes.mtime !== undefined) await file.utimes(attributes.atime ?? attributes.mtime, attributes.mtime)
    }),
  )
  sftp.on('OPENDIR', (id, name) =>
    answer(id, async () => {
      const folder = path(name)
      const names = ['.', '..', ...(await readdir(folder))]
      const entries = await Promise.all(
        names.map(async (entry) => {
          // A file that disappears in the meantime is left out.
          const found = await lstat(join(folder, entry)).catch(() => undefined)
          return found ? [entryOf(entry, found)] : []
        }),
      )
      give(id, { entries: entries.flat() })
      return true
    }),
  )
  sftp.on('READDIR', (id, key) =>
    answer(id, async () => {
      const handle = handleOf(key)
      const entries = handle && 'entries' in handle ? handle.entries.splice(0, mostEntries) : []
      if (entries.length === 0) sftp.status(id, status.EOF)
      else sftp.name(id, entries)
      return true
    }),
  )
  sftp.on('REMOVE', (id, name) => answer(id, () => rm(path(name))))
  sftp.on('RMDIR', (id, name) => answer(id, () => rmdir(path(name))))
  sftp.on('MKDIR', (id, name, attributes) => answer(id, () => mkdir(path(name), attributes.mode ?? 0o777)))
  sftp.on('RENAME', (id, from, to) =>
    // The protocol's own rename fails where the new name exists. Only the extension posix-rename replaces.
    answer(id, async () => {
      if (await exists(path(to))) throw new Error('File exists')
      await rename(path(from), path(to))
    }),
  )
  sftp.on('EXTENDED', (id, name, data) => {
    if (name !== 'posix-rename@openssh.com') return sftp.status(id, status.OP_UNSUPPORTED)
    const [from = '', to = ''] = readStrings(data)
    answer(id, () => rename(path(from), path(to)))
  })
  sftp.on('REALPATH', (id, name) =>
    answer(id, async () => {
      const full = path(name)
      const real = await realpath(full).catch(() => full)
      sftp.name(id, [{ filename: real, longname: real, attrs: attributesOf(await stat(real).catch(() => stat(home))) }])
      return true
    }),
  )
  sftp.on('READLINK', (id, name) =>
    answer(id, async () => {
      const target = await readlink(path(name))
      sftp.name(id, [{ filename: target, longname: target, attrs: attributesOf(await lstat(path(name))) }])
      return true
    }),
  )
  // OpenSSH swaps the two arguments, contrary to the protocol's text, and everybody follows OpenSSH.
  sftp.on('SYMLINK', (id, target, name) => answer(id, () => symlink(target, path(name))))
  sftp.on('close', () => {
    for (const handle of handles.values()) if ('file' in handle) void handle.file.close().catch(() => {})
  })
}

const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  )

function openFlags(flags: number): number {
  const { READ, WRITE, APPEND, CREAT, TRUNC, EXCL } = mode
  const access = flags & WRITE ? (flags & READ ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY
  return (
    access |
    (flags & APPEND ? constants.O_APPEND : 0) |
    (flags & CREAT ? constants.O_CREAT : 0) |
    (flags & TRUNC ? constants.O_TRUNC : 0) |
    (flags & EXCL ? constants.O_EXCL : 0)
  )
}

async function setAttributes(path: string, { size, mode: bits, atime, mtime }: Attributes) {
  if (size !== undefined) await truncate(path, size)
  if (bits !== undefined) await chmod(path, bits & 0o7777)
  if (mtime !== undefined) await utimes(path, atime ?? mtime, mtime)
}

function attributesOf({ mode: bits, uid, gid, size, atimeMs, mtimeMs }: Stats): Attributes {
  return { mode: bits, uid, gid, size, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) }
}

function entryOf(name: string, found: Stats): FileEntry {
  const kind = found.isDirectory() ? 'd' : found.isSymbolicLink() ? 'l' : '-'
  const date = found.mtime.toISOString().slice(0, 16).replace('T', ' ')
  return {
    filename: name,
    longname: `${kind}rw-r--r-- 1 ${found.uid} ${found.gid} ${found.size} ${date} ${basename(name)}`,
    attrs: attributesOf(found),
  }
}

/** SSH's strings: each preceded by its length. */
function readStrings(data: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at + 4 <= data.length; ) {
    const length = data.readUInt32BE(at)
    texts.push(data.toString('utf8', at + 4, at + 4 + length))
    at += 4 + length
  }
  return texts
}

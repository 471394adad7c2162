/** Files on the host, by SFTP. Paths are POSIX paths; relative ones, and `~/…`, begin in the account's home. */
import { randomUUID } from 'node:crypto'
import pLimit from 'p-limit'
import { type Command, fromHome } from './quote.ts'
import {
  chunkBytes,
  type OverSftp,
  permissionDenied,
  type RemoteEntry,
  RemoteFileError,
  type Sftp,
  unfinishedName,
} from './sftp.ts'
import { mostOpenFiles, type Run, type Transfers, transfers } from './transfer.ts'

export interface FileOptions {
  signal?: AbortSignal | undefined
}

/** Every operation is safe to repeat, and is repeated after a lost connection. Errors are {@link RemoteFileError}s. */
export interface RemoteFiles extends Transfers {
  /**
   * Reads a file. Many files requested at once, as with `Promise.all`, are transferred together.
   *
   * @throws a {@link RemoteFileError}, with the code ENOENT for a missing file
   */
  readFile: (path: string, options?: FileOptions) => Promise<Buffer>
  /** Writes a file, under another name first, so that nobody ever sees half of it. `mode` is 0o644 by default. */
  writeFile: (path: string, content: string | Uint8Array, options?: FileOptions & { mode?: number }) => Promise<void>
  /** The entries of a folder, without `.` and `..`, in the order of their names. */
  list: (path: string, options?: FileOptions) => Promise<RemoteEntry[]>
  /** Makes a folder, and the folders above it. */
  mkdir: (path: string, options?: FileOptions) => Promise<void>
  /** Removes a file, or a folder with everything in it. Does nothing where neither exists. */
  remove: (path: string, options?: FileOptions) => Promise<void>
  /** The absolute path of an existing path: that of `.` is the account's home. */
  realPath: (path: string, options?: FileOptions) => Promise<string>
}

export function remoteFiles(host: string, run: Run, overSftp: OverSftp): RemoteFiles {
  const limit = pLimit(mostOpenFiles)
  /** Limits the number of files that are open at once. */
  const bounded: OverSftp = (use, options) => limit(() => overSftp(use, options))
  return {
    readFile: (path, { signal } = {}) => bounded((sftp) => readWhole(sftp, fromHome(path)), { signal }),
    async writeFile(path, content, { signal, mode } = {}) {
      // One name for all attempts: a retry after a lost connection overwrites what the first one left.
      const file = { path: fromHome(path), content: Buffer.from(content), mode, tag: randomUUID() }
      await bounded((sftp) => writeWhole(sftp, file), { signal })
    },
    list: (path, { signal } = {}) => bounded((sftp) => sftp.list(fromHome(path)), { signal }),
    mkdir: (path, { signal } = {}) => bounded((sftp) => sftp.makeFolders(fromHome(path)), { signal }),
    // rm knows files by their bytes; SFTP as ssh2 speaks it has no word for a name that is not UTF-8.
    async remove(path, { signal } = {}) {
      const command: Command = ['rm', '-rf', '--', fromHome(path)]
      const { code, stderr } = await run(command, { cwd: '.', input: '', repeatable: true, signal })
      const status = /Permission denied|not permitted/i.test(stderr) ? permissionDenied : undefined
      if (code !== 0) {
        throw new RemoteFileError(host, path, 'removed', Object.assign(new Error(stderr.trim()), { code: status }))
      }
    },
    realPath: (path, { signal } = {}) => bounded((sftp) => sftp.realPath(fromHome(path)), { signal }),
    ...transfers(host, run, overSftp),
  }
}

async function readWhole(sftp: Sftp, path: string): Promise<Buffer> {
  return await sftp.withFile(path, { flags: 'r' }, async (file) =>
    Buffer.concat(await Array.fromAsync(sftp.read(file))),
  )
}

async function writeWhole(
  sftp: Sftp,
  { path, content, mode, tag }: { path: string; content: Buffer; mode: number | undefined; tag: string },
): Promise<void> {
  const unfinished = unfinishedName(path, tag)
  const count = Math.ceil(content.length / chunkBytes)
  const chunks = Array.from({ length: count }, (_, at) => content.subarray(at * chunkBytes, (at + 1) * chunkBytes))
  try {
    await sftp.withFile(unfinished, { flags: 'w', mode }, (file) => sftp.write(file, chunks))
    await sftp.rename(unfinished, path)
  } catch (error) {
    throw await sftp.writingFailed(unfinished, path, error)
  }
}

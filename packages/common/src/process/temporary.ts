/** Folders for temporary files, which are removed when their owner ends, however it ends. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guard } from './guard.ts'

/** A folder in the system's folder for temporary files. Disposing of it removes it with its contents. */
export interface TemporaryFolder extends AsyncDisposable {
  path: string
}

/**
 * Makes a folder that only this user may read. It is removed even when this process is killed.
 *
 * @throws an Error of one line, if the system's folder for temporary files does not exist or is full
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  // Short, because the path of a socket in it may have no more than 107 bytes.
  const path = join(tmpdir(), `distributed-computing-${randomUUID().slice(0, 13)}`)
  // Guarded before it exists, so that there is no moment at which it could be left behind.
  const release = guard(path)
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (cause) {
    await release()
    throw new Error(`no temporary folder can be made in ${tmpdir()}; TMPDIR may name another place`, { cause })
  }
  const remove = async () => {
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
    await release()
  }
  let removed: Promise<void> | undefined
  return { path, [Symbol.asyncDispose]: () => (removed ??= remove()) }
}

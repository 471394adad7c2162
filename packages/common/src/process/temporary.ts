/** Folders for temporary files that go when their owner goes, however it ends. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guard } from './guard.ts'

/** A folder in the system's folder for temporary files; disposing of it removes it with all that is in it. */
export interface TemporaryFolder extends AsyncDisposable {
  path: string
}

/** Makes a folder that only this user may read, and that is removed also when this process is killed. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = join(tmpdir(), `distributed-computing-${randomUUID()}`)
  // Guarded before it is there, so that there is no moment at which it could be forgotten.
  const release = guard(path)
  await mkdir(path, { mode: 0o700 })
  const remove = async () => {
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
    await release()
  }
  let removed: Promise<void> | undefined
  return { path, [Symbol.asyncDispose]: () => (removed ??= remove()) }
}

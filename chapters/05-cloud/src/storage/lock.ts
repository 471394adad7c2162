/**
 * One transfer of a file at a time, also among processes: two would share the journal or the unfinished file, and each
 * would give up what the other has begun.
 *
 * The lock is a file beside the transferred one that names its process. A process that is killed leaves it behind; it
 * then does not count any more.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { z } from 'zod'
import { onDisk } from './disk.ts'
import { beside } from './journal.ts'

const holder = z.strictObject({ host: z.string(), pid: z.int().positive() })

export const lockOf = (path: string) => beside(path, '.transfer')

/**
 * Locks a file for a transfer. Disposing of the lock removes it.
 *
 * @throws an Error at once when another process has it
 */
export async function lock(path: string): Promise<AsyncDisposable> {
  const file = lockOf(path)
  const mine = JSON.stringify({ host: hostname(), pid: process.pid })
  for (;;) {
    try {
      await onDisk(file, writeFile(file, mine, { flag: 'wx' }))
      return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        // A full disk may take the name and not the content.
        await rm(file, { force: true })
        throw error
      }
    }
    const theirs = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    // Removed in the meantime.
    if (theirs === undefined) continue
    if (!isLeft(theirs)) {
      throw new Error(
        `${path} is being transferred by another process: wait until it ends; if there is none, remove ${file}`,
      )
    }
    await removeLeft(file, theirs)
  }
}

/** Whether the process that a lock names is gone. Another host's process cannot be looked up. */
function isLeft(text: string): boolean {
  let named: z.infer<typeof holder>
  try {
    named = holder.parse(JSON.parse(text))
  } catch {
    return false
  }
  if (named.host !== hostname()) return false
  // Transfers of this process wait for their turn before they come here: an earlier process had the same number.
  if (named.pid === process.pid) return true
  try {
    process.kill(named.pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Removes a lock that was left behind, unless another process has just done so and taken its place. */
async function removeLeft(file: string, text: string): Promise<void> {
  const aside = beside(file, `.${randomUUID()}`)
  try {
    await rename(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if ((await readFile(aside, 'utf8')) === text) await rm(aside)
  else await rename(aside, file)
}

/** What the servers that this chapter starts on this machine have in common: where their programs are, and their ports. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** PATH, and where systems put servers for users that have no such folders on it. */
export const pathOfServers = [process.env.PATH ?? '', '/usr/sbin', '/usr/local/sbin', '/sbin'].join(delimiter)

/** The path of a program; undefined when it is not on this machine. */
export async function findProgram(name: string): Promise<string | undefined> {
  const paths = pathOfServers.split(delimiter).map((folder) => join(folder, name))
  return await Promise.any(paths.map((path) => access(path, constants.X_OK).then(() => path))).catch(() => undefined)
}

/** Whether a server has failed because somebody else has its port: it was free when it was looked for, and later not. */
export const isTaken = (error: unknown) => error instanceof Error && /address already in use/i.test(error.message)

/**
 * Starts a server again on the port it had. While there was no server, somebody's outgoing connection may have been given
 * that port: then it is tried again for a while.
 */
export async function startAgain<Server>(
  start: () => Promise<Server>,
  { signal, timeoutMs = 30_000 }: { signal?: AbortSignal | undefined; timeoutMs?: number } = {},
): Promise<Server> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (!isTaken(error) || performance.now() > deadline) throw error
      await delay(100, undefined, { signal })
    }
  }
}

/** What the real servers share: where their programs are, and how they start on a port. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** PATH, and the folders in which systems put servers, which are not on every user's PATH. */
export const pathOfServers = [process.env.PATH ?? '', '/usr/sbin', '/usr/local/sbin', '/sbin'].join(delimiter)

/** The path of a program; undefined if this machine does not have it. */
export async function findProgram(name: string): Promise<string | undefined> {
  const paths = pathOfServers.split(delimiter).map((folder) => join(folder, name))
  return await Promise.any(paths.map((path) => access(path, constants.X_OK).then(() => path))).catch(() => undefined)
}

/** Whether a server has failed because another program has taken its port, which was free before. */
export const isTaken = (error: unknown) => error instanceof Error && /address already in use/i.test(error.message)

/**
 * Starts a server again on its port. In the meantime the system may have given the port to an outgoing connection; then
 * the start is repeated for a while.
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

/** Where the programs of the real servers are, and how a cluster starts them. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Child, ServerOptions } from '@repo/common/process/child'
import { onOldPort } from '@repo/common/process/ports'

/** PATH, and the folders in which systems put servers, which are not on every user's PATH. */
export const pathOfServers = [process.env.PATH ?? '', '/usr/sbin', '/usr/local/sbin', '/sbin'].join(delimiter)

/** The path of a program; undefined if this machine does not have it. */
export async function findProgram(name: string): Promise<string | undefined> {
  const paths = pathOfServers.split(delimiter).map((folder) => join(folder, name))
  return await Promise.any(paths.map((path) => access(path, constants.X_OK).then(() => path))).catch(() => undefined)
}

/** Starts a server of a cluster, with the cluster's environment and more, and waits until it is ready. */
export type Start = (
  command: string,
  args: string[],
  ready: ServerOptions['ready'],
  more?: { launcher?: string[]; env?: NodeJS.ProcessEnv },
) => Promise<Child>

/** A server that can be killed and comes back in its old place. Disposing of it stops it. */
export interface Restartable extends AsyncDisposable {
  readonly child: Child
  restart: () => Promise<void>
}

/** Starts a server that a test may kill. @throws what `start` throws */
export async function restartable(start: () => Promise<Child>): Promise<Restartable> {
  let child = await start()
  return {
    get child() {
      return child
    },
    async restart() {
      await child.stop()
      child = await onOldPort(start)
    },
    [Symbol.asyncDispose]: async () => void (await child.stop()),
  }
}

/** Where the programs of the real servers are. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** PATH, and the folders in which systems put servers, which are not on every user's PATH. */
export const pathOfServers = [process.env.PATH ?? '', '/usr/sbin', '/usr/local/sbin', '/sbin'].join(delimiter)

/** The path of a program; undefined if this machine does not have it. */
export async function findProgram(name: string): Promise<string | undefined> {
  const paths = pathOfServers.split(delimiter).map((folder) => join(folder, name))
  return await Promise.any(paths.map((path) => access(path, constants.X_OK).then(() => path))).catch(() => undefined)
}

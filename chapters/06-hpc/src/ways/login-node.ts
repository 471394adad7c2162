/** A host to measure the connection to, and the same host at the end of a longer link. */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { startPracticeCluster } from '@repo/practice-cluster/cluster'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { practiceOptions } from '../cluster/cluster.ts'
import { findOpenSsh, sshConfig, startOpenSsh } from '../real/open-ssh.ts'
import type { Connection, ConnectOptions } from '../ssh/connection.ts'

/** A way to a host. */
export interface Reached {
  /** For our own connection. */
  options: ConnectOptions
  /** For OpenSSH's programs, which read a file for the rest. */
  host: string
  configFile?: string | undefined
}

export interface LoginNode extends AsyncDisposable {
  /** For readers. */
  name: string
  /** Whether it is OpenSSH: the practice cluster does not serve `scp -r`. */
  isOpenSsh: boolean
  near: Reached
  /** The same through a link with a longer round trip; the reader's own host is far enough as it is. */
  far: Reached
  /** A folder on this machine, removed at the end. */
  folder: string
  /**
   * A path for a folder on the host, absolute or relative to the home folder. The caller makes and removes the folder.
   */
  remote: string
}

/** The reader's host; by default this machine's OpenSSH server, or without one the practice cluster's login node. */
export async function openLoginNode(options: {
  host?: string | undefined
  configFile?: string | undefined
  /** The fingerprint of a new host's key. */
  acceptHost?: string | undefined
  rttMs: number
  signal?: AbortSignal
}): Promise<LoginNode> {
  const { host, configFile, acceptHost, rttMs, signal } = options
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(await temporaryFolder())
  const name = `ssh-example-${randomUUID().slice(0, 8)}`
  if (host !== undefined) {
    const own = { host, ...(configFile && { configFile }), ...(acceptHost && { acceptNewHost: acceptHost }) }
    const reached = { options: own, host, configFile }
    const owned = stack.move()
    return {
      name: host,
      isOpenSsh: true,
      near: reached,
      far: reached,
      folder,
      remote: name,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  }
  const openSsh = (await findOpenSsh()) === undefined ? undefined : stack.use(await startOpenSsh({ signal }))
  const practice = openSsh ? undefined : stack.use(await startPracticeCluster({ signal }))
  const server = openSsh ?? practice
  if (!server) throw new Error('no server')
  const link = stack.use(await startProxy({ port: server.port, delayMs: rttMs / 2 }))
  // It is one host on two ports, with one key.
  const knownHostsFile = join(folder, 'known_hosts')
  const keys = await readFile(server.knownHostsFile, 'utf8')
  await writeFile(knownHostsFile, keys.replaceAll(/^\S+/gm, '[127.0.0.1]:*'))
  const reach = async (alias: string, port: number): Promise<Reached> => {
    const file = join(folder, `${alias}_config`)
    const { host, user, identityFile } = server
    const quiet = { BatchMode: 'yes', LogLevel: 'ERROR' }
    await writeFile(file, sshConfig(alias, { host, port, user, identityFile, knownHostsFile }, quiet))
    const own = practice ? practiceOptions(practice) : { host: alias, configFile: file }
    return { options: practice ? { ...own, port } : own, host: alias, configFile: file }
  }
  const [near, far] = [await reach('near', server.port), await reach('far', link.port)]
  const owned = stack.move()
  return {
    near,
    far,
    folder,
    isOpenSsh: openSsh !== undefined,
    name: openSsh ? 'OpenSSH on this machine' : "the practice cluster's login node",
    remote: openSsh ? posix.join(openSsh.folder, name) : name,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Writes what tasks leave behind, small files with different contents, and uploads them. */
export async function uploadResults(
  connection: Connection,
  local: string,
  remote: string,
  count: number,
): Promise<void> {
  await mkdir(local)
  const names = Array.from({ length: count }, (_, at) => resultName(at))
  // One by one: there may be more of them than a process may have open.
  for (const [at, name] of names.entries()) {
    await writeFile(join(local, name), JSON.stringify({ task: at, value: Math.sin(at), state: 'completed' }))
  }
  await connection.upload(local, remote)
}

export const resultName = (task: number) => `result-${task}.json`

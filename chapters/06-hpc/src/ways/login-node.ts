/** A host to measure the way to, and the same host at the end of a longer link. */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { startPracticeCluster } from '@repo/practice-cluster/cluster'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findOpenSsh, sshConfig, startOpenSsh } from '../real/open-ssh.ts'
import type { Connection } from '../ssh/connection.ts'

/** How the ssh program and our own connection reach it. */
export interface Reached {
  host: string
  /** `~/.ssh/config` when not given. */
  configFile?: string
}

export interface LoginNode extends AsyncDisposable {
  /** For readers. */
  name: string
  /** Whether it is a whole OpenSSH: the practice cluster's file server does not tell scp how it ended. */
  isOpenSsh: boolean
  near: Reached
  /** The same through a link that adds the round trip; a host of the reader's own is far enough as it is. */
  far: Reached
  /** A folder of this machine, removed at the end. */
  folder: string
  /** The name for a folder on the host, absolute or from the home folder; it is neither made nor removed here. */
  remote: string
}

/** The reader's host; without one this machine's OpenSSH server, or where there is none the practice cluster's login node. */
export async function openLoginNode(options: {
  host?: string | undefined
  configFile?: string | undefined
  rttMs: number
  signal?: AbortSignal
}): Promise<LoginNode> {
  const { host, configFile, rttMs, signal } = options
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(await temporaryFolder())
  const name = `ssh-example-${randomUUID().slice(0, 8)}`
  if (host !== undefined) {
    const reached = configFile === undefined ? { host } : { host, configFile }
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
  const server = openSsh ?? stack.use(await startPracticeCluster({ signal }))
  const link = stack.use(await startProxy({ port: server.port, delayMs: rttMs / 2 }))
  const knownHostsFile = join(folder, 'known_hosts')
  // The same host at two ports.
  const keys = await readFile(server.knownHostsFile, 'utf8')
  await writeFile(knownHostsFile, keys.replaceAll(/^\S+/gm, '[127.0.0.1]:*'))
  const reach = async (alias: string, port: number): Promise<Reached> => {
    const file = join(folder, `${alias}_config`)
    const { host, user, identityFile } = server
    const quiet = { BatchMode: 'yes', LogLevel: 'ERROR' }
    await writeFile(file, sshConfig(alias, { host, port, user, identityFile, knownHostsFile }, quiet))
    return { host: alias, configFile: file }
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

/** What tasks leave: small files, each another one. They are made here and uploaded. */
export async function uploadResults(
  connection: Connection,
  local: string,
  remote: string,
  count: number,
): Promise<void> {
  await mkdir(local)
  const names = Array.from({ length: count }, (_, at) => resultName(at))
  // Not all at once: there may be more of them than a process may have open.
  for (const [at, name] of names.entries()) {
    await writeFile(join(local, name), JSON.stringify({ task: at, value: Math.sin(at), state: 'completed' }))
  }
  await connection.upload(local, remote)
}

export const resultName = (task: number) => `result-${task}.json`

/** The host of the suite: sshd on this machine, and what each client needs to reach it and nothing else. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type OpenSsh, sshConfig, startOpenSsh } from '06-hpc/real/open-ssh'

/**
 * What sshd allows: sessions at once over one connection, as everywhere, and connections at once that have not logged in
 * yet. There is one key exchange, because not every client has OpenSSH's own, which takes longer than all else in a login.
 */
export const settings = { MaxSessions: '10', MaxStartups: '100', KexAlgorithms: 'curve25519-sha256@libssh.org' }

export interface Host extends OpenSsh {
  /** For ssh, which calls it `host`. */
  configFile: string
}

/** @throws an Error if this machine has no sshd, or it does not start */
export async function startHost(signal: AbortSignal): Promise<Host> {
  const host = await startOpenSsh({ settings, signal })
  // Paramiko takes no pattern for a port.
  const keys = await readFile(host.knownHostsFile, 'utf8')
  await writeFile(host.knownHostsFile, keys.replace(':*', `:${host.port}`))
  const configFile = join(host.folder, 'config')
  await writeFile(configFile, sshConfig('host', host, { BatchMode: 'yes', LogLevel: 'ERROR' }))
  return { ...host, configFile }
}

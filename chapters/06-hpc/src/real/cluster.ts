/** A real cluster on this machine: Slurm with two nodes, and OpenSSH as its login node. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findOpenSsh, type OpenSsh, sshConfig, startOpenSsh } from './open-ssh.ts'
import { findSlurm, type SlurmCluster, type SlurmOptions, startSlurmCluster } from './slurm.ts'

/** The command that installs it, for messages. */
export const installRealCluster = 'sudo apt-get install slurm-wlm slurm-wlm-torque munge openssh-server'
/** The same for accounting and REST. */
export const installAccountingAndRest =
  'sudo apt-get install slurmdbd mariadb-server-core mariadb-client-core slurmrestd slurm-wlm-jwt-plugin curl'

export interface RealCluster extends AsyncDisposable {
  slurm: SlurmCluster
  ssh: OpenSsh
  /** The name of the login node in `configFile`. */
  host: string
  /** For `ssh -F` and for our own connections: the login node's address and key, and the user's key. */
  configFile: string
}

/** Whether this machine has everything that the cluster needs. */
export async function findRealCluster(): Promise<boolean> {
  return (await findSlurm()) && (await findOpenSsh()) !== undefined
}

/** Starts both; disposing of the result ends both. @throws an Error with the output of a server that does not start */
export async function startRealCluster(options: SlurmOptions = {}): Promise<RealCluster> {
  await using stack = new AsyncDisposableStack()
  const slurm = stack.use(await startSlurmCluster(options))
  const ssh = stack.use(await startOpenSsh({ environment: slurm.environment, signal: options.signal }))

  const configFile = join(ssh.folder, 'ssh_config')
  await writeFile(configFile, sshConfig('slurm', ssh))

  const owned = stack.move()
  return { slurm, ssh, host: 'slurm', configFile, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

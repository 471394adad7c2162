/**
 * A real Redis: the one that REDIS_URL names, or our own server on a free loopback port with a random password, which
 * ends with its owner.
 *
 * Our own server is the program that REDIS_SERVER names, or redis-server or valkey-server on PATH, or the one that
 * redis-memory-server has built below node_modules/.cache.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { RedisOptions as ClientOptions } from 'ioredis'
import { UsageError } from '../example/usage.ts'
import { messageOf } from '../output/errors.ts'
import { maskPasswords, shownUrl } from '../output/secrets.ts'
import { type Child, startServer } from '../process/child.ts'
import { freePort, onFreePorts, onOldPort } from '../process/ports.ts'
import { temporaryFolder } from '../process/temporary.ts'
import { firstInstalled, type InstalledProgram } from '../process/version.ts'
import { connectRedis } from './connect.ts'

/**
 * The oldest accepted version of Redis, or of the Redis that another server claims to be. BullMQ 6.7 refuses versions
 * below 5.0.0 and warns below 6.2.0 (RedisConnection.minimumVersion, recommendedMinimumVersion).
 */
const minimumVersion = '6.2.0'

/** Says in messages how to install a Redis server. */
export const installRedis = 'sudo apt-get install redis-server (Debian, Ubuntu), brew install redis (macOS)'

const connectTimeoutMs = 5_000
/** How long a server may take to read its append-only file. */
const readyTimeoutMs = 60_000

export interface RedisServer extends AsyncDisposable {
  /** With the password: for clients, not for readers. */
  url: string
  /** The same with the password masked. */
  maskedUrl: string
  host: string
  port: number
  username: string | undefined
  password: string | undefined
  /** Such as `7.0.15`. */
  version: string
  /** The server's process, for signals; undefined if REDIS_URL names the server. */
  readonly server: Child | undefined
  /** Where our own server keeps its data; undefined if REDIS_URL names the server. */
  folder: string | undefined
  /**
   * Restarts our own server with the same port and folder. With `appendOnly` it keeps its data. Throws if the server is
   * not ours.
   */
  restart: () => Promise<void>
}

export interface RedisOptions {
  /** Aborting it ends the start; it has no effect on a server that is ready. */
  signal?: AbortSignal | undefined
  /** Keeps an append-only file, for `restart()`: every answered command survives a SIGKILL of the server. */
  appendOnly?: boolean
  /** Starts our own server even if REDIS_URL is set, for what must not happen to a reader's Redis. */
  own?: boolean
  /** Added to the environment of our own server. */
  env?: NodeJS.ProcessEnv | undefined
}

/**
 * Starts a Redis server, or checks the one that REDIS_URL names. Disposing of our own server stops it and removes its
 * data; disposing of another one does nothing.
 *
 * @throws a UsageError if REDIS_URL is not a Redis URL
 * @throws an Error of one line if there is no server, or if it is unreachable, refuses us, evicts keys or is too old
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { signal, appendOnly = false, own = false, env = {} } = options
  signal?.throwIfAborted()
  if (process.env.REDIS_URL && !own) return await useRedis(process.env.REDIS_URL)

  const found = await findRedisServer()
  if (!found) {
    throw new Error(
      `no Redis server on PATH: install one with ${installRedis}, or name one in REDIS_URL or REDIS_SERVER`,
    )
  }
  requireVersion(found.path, found.version)

  const password = randomBytes(24).toString('base64url')
  const urlOf = (port: number) => `redis://:${password}@127.0.0.1:${port}`

  function start(path: string, config: string, port: number): Promise<Child> {
    // Another server may have taken the port in the meantime, and would answer instead of ours.
    const ready = async (pid: number) => {
      // ioredis's own check would wait for a second while the server loads its data; we ask again soon.
      const info = await inspect(urlOf(port), { enableReadyCheck: false }).catch(() => undefined)
      return info?.process_id === String(pid)
    }
    return startServer({ command: path, args: [config], env, ready, signal, readyTimeoutMs })
  }

  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  let { config, port, server } = await onFreePorts(async () => {
    const port = await freePort()
    const config = join(folder, `${port}.conf`)
    // In a file that only this user may read: all users can read a command line.
    await writeFile(config, configuration(port, password, folder, appendOnly), { mode: 0o600 })
    return { config, port, server: await start(found.path, config, port) }
  })
  stack.defer(async () => void (await server.stop()))
  const owned = stack.move()
  return {
    url: urlOf(port),
    maskedUrl: maskPasswords(urlOf(port)),
    host: '127.0.0.1',
    port,
    username: undefined,
    password,
    version: found.version,
    folder,
    get server() {
      return server
    },
    async restart() {
      await server.stop()
      server = await onOldPort(() => start(found.path, config, port), { signal })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function configuration(port: number, password: string, folder: string, appendOnly: boolean): string {
  const settings = {
    bind: '127.0.0.1',
    port,
    requirepass: password,
    dir: JSON.stringify(folder),
    'maxmemory-policy': 'noeviction',
    save: '""',
    appendonly: appendOnly ? 'yes' : 'no',
    // With everysec and a slow disk, Redis answers up to two seconds before it has written.
    appendfsync: 'always',
    loglevel: 'warning',
    // A title would overwrite the environment, by which tests find what a run has left behind.
    'set-proc-title': 'no',
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

async function useRedis(url: string): Promise<RedisServer> {
  const maskedUrl = shownUrl(url)
  const parsed = URL.parse(url)
  if (!parsed || !['redis:', 'rediss:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw new UsageError(
      'REDIS_URL',
      maskedUrl,
      'redis://[user:password@]host[:port][/database], or rediss:// with TLS',
    )
  }
  let username: string | undefined
  let password: string | undefined
  try {
    username = decodeURIComponent(parsed.username) || undefined
    password = decodeURIComponent(parsed.password) || undefined
  } catch {
    throw new UsageError('REDIS_URL', maskedUrl, 'a user and a password in which % is written as %25')
  }
  const info = await inspect(url).catch(({ cause }: Error) => {
    const refused = /NOAUTH|WRONGPASS|invalid password/.test(messageOf(cause))
    throw new Error(`REDIS_URL: ${maskedUrl} ${refused ? 'refuses the password' : 'cannot be used'}`, { cause })
  })
  const version = info.redis_version ?? ''
  requireVersion(`REDIS_URL: ${maskedUrl}`, version)
  const policy = info.maxmemory_policy
  if (policy !== 'noeviction') {
    const consequence = 'it would throw jobs away when its memory is full'
    throw new Error(`REDIS_URL: ${maskedUrl} has maxmemory-policy "${policy}"; accepts noeviction: ${consequence}`)
  }
  return {
    url,
    maskedUrl,
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    version,
    server: undefined,
    folder: undefined,
    username,
    password,
    restart: async () => {
      throw new Error(`REDIS_URL: ${maskedUrl} is not ours to restart`)
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Connects, waits until the server has loaded its data, and returns the fields of INFO. */
async function inspect(url: string, options: ClientOptions = {}): Promise<Record<string, string>> {
  const client = await connectRedis(url, {
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    ...options,
  })
  try {
    const info = await client.info()
    return Object.fromEntries(info.split('\r\n').map((line) => line.split(':', 2)))
  } finally {
    client.disconnect()
  }
}

function requireVersion(server: string, version: string) {
  if (isAtLeast(version, minimumVersion)) return
  throw new Error(`${server} is Redis ${version || 'of an unknown version'}; accepts ${minimumVersion} or newer`)
}

const isAtLeast = (version: string, minimum: string) => version.localeCompare(minimum, 'en', { numeric: true }) >= 0

/** In what `--version` prints. */
const itsVersion = /(?<=^\w+ server v=)\d+\.\d+\.\d+/

/**
 * Finds a Redis or Valkey server on this machine without starting it: the first one that is new enough, else the first.
 *
 * @throws a UsageError if REDIS_SERVER is set and is not such a server
 */
export async function findRedisServer(): Promise<InstalledProgram | undefined> {
  const { REDIS_SERVER, PATH = '' } = process.env
  if (REDIS_SERVER) {
    const server = await firstInstalled([REDIS_SERVER], itsVersion)
    if (!server) throw new UsageError('REDIS_SERVER', REDIS_SERVER, 'the path of a redis-server or valkey-server')
    return server
  }
  const ending = process.platform === 'win32' ? '.exe' : ''
  const folders = PATH.split(delimiter).filter((folder) => folder !== '')
  const onPath = ['redis-server', 'valkey-server'].flatMap((name) =>
    folders.map((folder) => join(folder, name + ending)),
  )
  let first: InstalledProgram | undefined
  for (const path of [...onPath, builtRedis()]) {
    const server = await firstInstalled([path], itsVersion)
    if (server && isAtLeast(server.version, minimumVersion)) return server
    first ??= server
  }
  return first
}

/**
 * Returns where setup/ makes redis-memory-server put its build: in the folder that the package's variable names, or in
 * this one.
 */
function builtRedis(): string {
  const folder = fileURLToPath(new URL('../../../../node_modules/.cache/redis-binaries', import.meta.url))
  return join(process.env.REDISMS_DOWNLOAD_DIR || folder, 'stable', 'redis-server')
}

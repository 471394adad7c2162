import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { until } from '../../src/async/until.ts'
import { describeError, UsageError } from '../../src/example/usage.ts'
import { processesWith } from '../../src/process/marked.ts'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { findRedisServer, installRedis, startRedis } from '../../src/servers/redis.ts'
import { describeReal } from '../../src/testing/vitest.ts'

// Lets a test choose the first ports that freePort returns. Another file may have loaded it in this process.
const chosenPorts = vi.hoisted((): number[] => {
  vi.resetModules()
  return []
})
vi.mock('../../src/process/ports.ts', async (original) => {
  const actual = await original<typeof import('../../src/process/ports.ts')>()
  return { ...actual, freePort: async () => chosenPorts.shift() ?? (await actual.freePort()) }
})

beforeEach(() => {
  vi.stubEnv('REDIS_URL', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** Returns what a reader sees when the start fails. The test fails if it succeeds. */
async function failure(): Promise<string> {
  const error = await startRedis().then(
    async (redis) => {
      await redis[Symbol.asyncDispose]()
      throw new Error('it started')
    },
    (reason: unknown) => reason,
  )
  return describeError(error)
}

function client(url: string): Redis & AsyncDisposable {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  return Object.assign(redis, { [Symbol.asyncDispose]: async () => redis.disconnect() })
}

/** A server that claims to be a Redis of a version, and agrees to everything. */
async function claiming(version: string) {
  const info = `redis_version:${version}\r\nmaxmemory_policy:noeviction\r\n`
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .on('data', (commands) => {
        // Each command is a list of texts, as in `*1\r\n$4\r\nINFO\r\n`.
        for (const [, name = ''] of String(commands).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
          socket.write(name.toLowerCase() === 'info' ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n')
        }
      })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { url: `redis://127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}

const installed = await findRedisServer()
describeReal('a Redis of our own', { name: 'a Redis server', found: installed, install: installRedis }, () => {
  it('has the installed version, evicts nothing and writes nothing to the disk', async () => {
    await using redis = await startRedis()
    await using connection = client(redis.url)
    expect(await connection.set('key', 'value')).toBe('OK')
    expect(await connection.get('key')).toBe('value')
    expect(redis.version).toBe(installed?.version)
    expect(await connection.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    expect(await connection.config('GET', 'save')).toEqual(['save', ''])
    expect(await connection.config('GET', 'appendonly')).toEqual(['appendonly', 'no'])
    expect(redis).toMatchObject({ host: '127.0.0.1', maskedUrl: `redis://:***@127.0.0.1:${redis.port}` })
  })

  it('runs alongside another one', async () => {
    await using first = await startRedis()
    await using second = await startRedis()
    expect(second.port).not.toBe(first.port)
    expect(second.password).not.toBe(first.password)
    await using one = client(first.url)
    await using other = client(second.url)
    await one.set('key', 'first')
    expect(await other.get('key')).toBeNull()
  })

  it('refuses clients without the password', async () => {
    await using redis = await startRedis()
    const socket = connect(redis.port, redis.host)
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    socket.destroy()
    expect(String(answer)).toMatch(/^-NOAUTH/)
    await using guessing = client(redis.url.replace(redis.password ?? '', 'guess'))
    const [error] = await once(guessing, 'error')
    expect(error.message).toMatch(/WRONGPASS/)
  })

  const elsewhere = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
  it("does not listen on the machine's other addresses", async () => {
    await using redis = await startRedis()
    for (const { address } of [...elsewhere, { address: '::1' }]) {
      const socket = connect(redis.port, address)
      const failed = once(socket, 'error').then(([error]) => error.code)
      expect(await Promise.race([failed, once(socket, 'connect').then(() => address)])).toMatch(
        /^(ECONNREFUSED|EADDRNOTAVAIL)$/,
      )
    }
  })

  it.skipIf(process.platform === 'win32')(
    'shows its password on no command line and in no file that others may read',
    async () => {
      await using redis = await startRedis()
      const { stdout: all } = await promisify(execFile)('ps', ['-Aww', '-o', 'pid=,args='])
      expect(all).toContain(`${redis.server?.pid} `)
      expect(all.includes(String(redis.password))).toBe(false)
      const config = redis.server?.process.spawnargs[1] ?? ''
      expect((await stat(config)).mode & 0o777).toBe(0o600)
      expect((await stat(dirname(config))).mode & 0o777).toBe(0o700)
      expect(await readFile(config, 'utf8')).toContain(`requirepass ${redis.password}`)
    },
  )

  it('takes another port when its port has been taken in the meantime', async () => {
    await using taken = await startRedis()
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    chosenPorts.push(taken.port, typeof address === 'object' && address ? address.port : 0)
    await using redis = await startRedis()
    listener.close()
    expect(chosenPorts).toEqual([])
    await using connection = client(redis.url)
    expect(await connection.ping()).toBe('PONG')
  })

  it('gives up with the reason when no port is free', async () => {
    await using taken = await startRedis()
    chosenPorts.push(...Array<number>(5).fill(taken.port))
    expect(await failure()).toMatch(/redis-server ended with code 1 before it was ready;.*Address already in use/)
  })

  it('has all that it confirmed after SIGKILL and a restart, on the same port', async () => {
    await using redis = await startRedis({ appendOnly: true })
    await using before = client(redis.url)
    // SIGKILL cannot show that: what the server has written survives it even if the disk does not have it yet.
    expect(await before.config('GET', 'append*sync')).toEqual(['appendfsync', 'always'])
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => before.rpush('queue', at)))
    const killed = redis.server
    killed?.process.kill('SIGKILL')
    expect(await killed?.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await redis.restart()
    expect(redis.server?.pid).not.toBe(killed?.pid)
    await using after = client(redis.url)
    expect(await after.llen('queue')).toBe(1_000)
    // And by a restart while it runs.
    await redis.restart()
    await using again = client(redis.url)
    expect(await again.llen('queue')).toBe(1_000)
  })

  it('ends with its folder when disposed of, even twice, and answers until then, even when aborted', async () => {
    const mark = randomUUID()
    vi.stubEnv('REDIS_TEST', mark)
    await using temporary = await temporaryFolder()
    vi.stubEnv('TMPDIR', temporary.path)
    const redis = await startRedis()
    await redis[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()

    const interruption = new AbortController()
    const interrupted = await startRedis({ signal: interruption.signal })
    interruption.abort()
    await using last = client(interrupted.url)
    expect(await last.ping()).toBe('PONG')
    await interrupted[Symbol.asyncDispose]()

    // Only the reaper for this test's own folder is left.
    expect(readdirSync(temporary.path)).toEqual([])
    const left = await processesWith('REDIS_TEST', mark)
    expect(left.filter((line) => !line.includes('reaper'))).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('fails with the reason when aborted during the start', async () => {
    const mark = randomUUID()
    await using folder = await temporaryFolder()
    const slow = join(folder.path, 'slow-server')
    const said = 'Redis server v=7.0.15'
    await writeFile(slow, `#!/bin/sh\nif [ "$1" = --version ]; then echo '${said}'; else exec sleep 100; fi\n`, {
      mode: 0o700,
    })
    vi.stubEnv('REDIS_TEST', mark)
    vi.stubEnv('REDIS_SERVER', slow)
    const isStarting = async () => (await processesWith('REDIS_TEST', mark)).some((line) => line.endsWith('sleep 100'))

    const reason = new Error('changed my mind')
    const starting = new AbortController()
    const start = startRedis({ signal: starting.signal })
    await Promise.race([start, until(isStarting)])
    starting.abort(reason)
    await expect(start).rejects.toBe(reason)
    expect(await isStarting()).toBe(false)
    await expect(startRedis({ signal: starting.signal })).rejects.toBe(reason)
  })
})

describeReal('REDIS_URL', { name: 'a Redis server', found: installed, install: installRedis }, () => {
  it('names a server that is neither emptied nor stopped', async () => {
    await using theirs = await startRedis()
    await using connection = client(theirs.url)
    await connection.set('theirs', 'untouched')
    vi.stubEnv('REDIS_URL', `${theirs.url}/3`)
    {
      await using redis = await startRedis({ appendOnly: true })
      const { host, port, password, version } = theirs
      expect(redis).toMatchObject({ url: `${theirs.url}/3`, host, port, password, version, server: undefined })
      await expect(redis.restart()).rejects.toThrow(/is not ours to restart$/)
    }
    expect(await connection.get('theirs')).toBe('untouched')
    // Only the one that asks.
    await until(
      async () =>
        String(await connection.client('LIST'))
          .trim()
          .split('\n').length === 1,
    )
  })

  it('may name the user', async () => {
    await using theirs = await startRedis()
    vi.stubEnv('REDIS_URL', theirs.url.replace('://:', '://default:'))
    await using redis = await startRedis()
    expect(redis).toMatchObject({ username: 'default', password: theirs.password })
  })

  it('names a server that refuses the password: the error does not print it', async () => {
    await using theirs = await startRedis()
    vi.stubEnv('REDIS_URL', `redis://:hunter2@127.0.0.1:${theirs.port}`)
    expect(await failure()).toBe(
      `error: REDIS_URL: redis://:***@127.0.0.1:${theirs.port} refuses the password: ` +
        'WRONGPASS invalid username-password pair or user is disabled.',
    )
    vi.stubEnv('REDIS_URL', `redis://127.0.0.1:${theirs.port}`)
    expect(await failure()).toMatch(/^error: REDIS_URL: redis:\/\/127.0.0.1:\d+ refuses the password: NOAUTH/)
  })

  it('names a server that evicts keys: it is refused', async () => {
    await using theirs = await startRedis()
    await using connection = client(theirs.url)
    await connection.config('SET', 'maxmemory-policy', 'allkeys-lru')
    vi.stubEnv('REDIS_URL', theirs.url)
    expect(await failure()).toBe(
      `error: REDIS_URL: ${theirs.maskedUrl} has maxmemory-policy "allkeys-lru"; accepts noeviction: ` +
        'it would throw jobs away when its memory is full',
    )
  })
})

describe('one line says that', () => {
  it('REDIS_URL names no server', async () => {
    vi.stubEnv('REDIS_URL', 'redis://:hunter2@127.0.0.1:1')
    expect(await failure()).toBe(
      'error: REDIS_URL: redis://:***@127.0.0.1:1 cannot be used: connect ECONNREFUSED 127.0.0.1:1',
    )
    for (const url of ['redis://localhost:1', 'rediss://localhost:1']) {
      vi.stubEnv('REDIS_URL', url)
      expect(await failure()).toMatch(/cannot be used: .*ECONNREFUSED/)
    }
  })

  it.each(['5.0.7', '6.1.99', ''])(
    'REDIS_URL names a server of the version "%s", which is too old',
    async (version) => {
      await using server = await claiming(version)
      vi.stubEnv('REDIS_URL', server.url)
      expect(await failure()).toBe(
        `error: REDIS_URL: ${server.url} is Redis ${version || 'of an unknown version'}; accepts 6.2.0 or newer`,
      )
    },
  )

  it.each(['6.2.0', '6.10.1', '10.0.0'])('version %s is new enough', async (version) => {
    await using server = await claiming(version)
    vi.stubEnv('REDIS_URL', server.url)
    await using redis = await startRedis()
    expect(redis.version).toBe(version)
  })

  it.each([
    'localhost:6379',
    'http://:hunter2@localhost',
    'redis://',
    'redis://:hunter2/@/localhost',
    'u:hunter2@127.0.0.1:6379',
    'hunter2@127.0.0.1',
    'redis://:hunter2',
    'redis://u:hunter2',
    'redis:\\/\\/u:hunter2@h',
    'redis:u:hunter2@h',
  ])('REDIS_URL=%s is not a Redis URL', async (url) => {
    vi.stubEnv('REDIS_URL', url)
    await expect(startRedis()).rejects.toThrow(UsageError)
    const line = await failure()
    expect(line).toMatch(/^error: REDIS_URL: received ".*"; accepts redis:\/\/\[user:password@\]host/)
    expect(line).not.toContain('hunter2')
  })

  it('REDIS_URL has a password that is not encoded', async () => {
    vi.stubEnv('REDIS_URL', 'redis://:100%hunter2@127.0.0.1:1')
    expect(await failure()).toBe(
      'error: REDIS_URL: received "redis://:***@127.0.0.1:1"; accepts a user and a password in which % is written as %25',
    )
  })

  it('no server is installed', async () => {
    await using empty = await temporaryFolder()
    vi.stubEnv('REDIS_SERVER', undefined)
    vi.stubEnv('PATH', empty.path)
    vi.stubEnv('REDISMS_DOWNLOAD_DIR', empty.path)
    expect(await findRedisServer()).toBeUndefined()
    expect(await failure()).toBe(
      'error: no Redis server on PATH: install one with sudo apt-get install redis-server (Debian, Ubuntu), ' +
        'brew install redis (macOS), or name one in REDIS_URL or REDIS_SERVER',
    )
  })

  it('REDIS_SERVER is not a Redis server', async () => {
    for (const other of ['no-such-server', 'node']) {
      vi.stubEnv('REDIS_SERVER', other)
      expect(await failure()).toBe(
        `error: REDIS_SERVER: received "${other}"; accepts the path of a redis-server or valkey-server`,
      )
    }
  })

  // Old servers cannot be installed. A script prints a version, which is all that is needed.
  it.skipIf(process.platform === 'win32')(
    'the only server is too old; a newer one further down PATH is used',
    async () => {
      const script = async (folder: string, name: string, output: string) => {
        const path = join(folder, name)
        await mkdir(folder, { recursive: true })
        await writeFile(path, `#!/bin/sh\necho '${output}'\n`)
        await chmod(path, 0o755)
        return path
      }
      await using folder = await temporaryFolder()
      const old = await script(folder.path, 'redis-server', 'Redis server v=5.0.7 sha=00000000:0 bits=64')
      vi.stubEnv('REDIS_SERVER', undefined)
      vi.stubEnv('PATH', folder.path)
      vi.stubEnv('REDISMS_DOWNLOAD_DIR', folder.path)
      expect(await failure()).toBe(`error: ${old} is Redis 5.0.7; accepts 6.2.0 or newer`)

      const valkey = await script(folder.path, 'valkey-server', 'Valkey server v=8.1.1 sha=00000000:0 bits=64')
      expect(await findRedisServer()).toEqual({ path: valkey, version: '8.1.1' })
      vi.stubEnv('PATH', '')
      const built = await script(join(folder.path, 'stable'), 'redis-server', 'Redis server v=10.0.0 sha=00000000:0')
      expect(await findRedisServer()).toEqual({ path: built, version: '10.0.0' })
    },
  )
})

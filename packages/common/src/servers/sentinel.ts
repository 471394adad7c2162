/**
 * A Redis with a replica, and three Sentinels that make the replica the primary when two of them miss the old one. All
 * programs are the same one.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { until } from '../async/until.ts'
import { type Child, startServer } from '../process/child.ts'
import { type Children, startChildren } from '../process/children.ts'
import { freePort, onFreePorts } from '../process/ports.ts'
import { startAll } from '../process/start-all.ts'
import { temporaryFolder } from '../process/temporary.ts'
import { connectRedis, once } from './connect.ts'
import { findFaketime, type WrongClock, wrongClock } from './faketime.ts'
import { startProxy, type Proxy as TcpProxy } from './proxy.ts'
import { findRedisServer, installRedis, type RedisServer, startRedis } from './redis.ts'

export interface RedisPair extends AsyncDisposable {
  version: string
  nodes: readonly ['a', 'b']
  /** The processes of the two. The Sentinels are not among them. */
  children: Children
  /** Where clients reach a node, with the password. */
  url: (node: string) => string
  /** Returns the node that a Sentinel calls the primary, if one knows. */
  primary: () => Promise<string | undefined>
  /** Cuts a node off from the other one and from the Sentinels, but not from clients, until `heal`. */
  cut: (node: string) => void
  heal: () => void
  /** Sets a node's clock wrong by this number of seconds. Without libfaketime, nobody can. */
  setClock: ((node: string, seconds: number) => Promise<void>) | undefined
}

/** Sentinels take a primary for lost after this time. */
const downAfterMs = 1_000

/**
 * Starts them on free loopback ports. Each server has what it answers on its disk (fsync).
 *
 * @throws an Error of one line if Redis is not installed
 */
export async function startRedisPair(signal?: AbortSignal): Promise<RedisPair> {
  const program = await findRedisServer()
  if (!program) throw new Error(`needs Redis: ${installRedis}`)
  return await onFreePorts(() => start(program, signal))
}

async function start(program: { path: string; version: string }, signal?: AbortSignal): Promise<RedisPair> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const password = randomBytes(24).toString('hex')
  const nodes = ['a', 'b'] as const
  const library = await findFaketime()
  const clocks = new Map<string, WrongClock>()
  if (library) for (const node of nodes) clocks.set(node, await wrongClock(library, `${folder.path}/${node}.clock`))
  const servers = new Map<string, RedisServer>()
  /** Where the other server and the Sentinels reach a server. */
  const doors = new Map<string, TcpProxy>()
  const door = (node: string) => doors.get(node)?.port ?? 0
  const url = (node: string) => servers.get(node)?.url ?? ''
  const children = stack.use(
    await startChildren(nodes, async (node) => {
      const known = servers.get(node)
      if (known) await known.restart()
      else {
        const { env } = clocks.get(node) ?? {}
        const server = stack.use(await startRedis({ own: true, appendOnly: true, env, signal }))
        servers.set(node, server)
        doors.set(node, stack.use(await startProxy({ port: server.port })))
      }
      return servers.get(node)?.server as Child
    }),
  )
  for (const node of nodes) {
    const connection = await connectRedis(url(node), once)
    // All of it goes to the server's own file of settings, where Sentinel and a restart find it.
    await connection.call('ACL', 'SETUSER', 'peer', 'on', `>${password}`, '~*', '&*', '+@all')
    const settings = { masteruser: 'peer', masterauth: password, 'replica-announce-ip': '127.0.0.1' }
    for (const [name, value] of Object.entries(settings)) await connection.config('SET', name, value)
    await connection.config('SET', 'replica-announce-port', door(node))
    // Otherwise a primary waits 5 s for more replicas.
    await connection.config('SET', 'repl-diskless-sync-delay', 0)
    if (node !== 'a') await connection.replicaof('127.0.0.1', door('a'))
    await connection.call('CONFIG', 'REWRITE')
    if (node !== 'a')
      await until(async () => /master_link_status:up/.test(await connection.info('replication')), { signal })
    connection.disconnect()
  }

  const sentinels = await startAll(
    stack,
    ['x', 'y', 'z'].map(async (name) => {
      const port = await freePort()
      const file = `${folder.path}/${name}.conf`
      const settings = `bind 127.0.0.1
port ${port}
dir ${JSON.stringify(folder.path)}
requirepass ${password}
loglevel warning
set-proc-title no
sentinel sentinel-pass ${password}
sentinel monitor pair 127.0.0.1 ${door('a')} 2
sentinel auth-user pair peer
sentinel auth-pass pair ${password}
sentinel down-after-milliseconds pair ${downAfterMs}
sentinel failover-timeout pair ${downAfterMs}
`
      await writeFile(file, settings, { mode: 0o600 })
      const connect = () => connectRedis(`redis://:${password}@127.0.0.1:${port}`, once)
      const ready = async () => {
        const connection = await connect().catch(() => undefined)
        connection?.disconnect()
        return connection !== undefined
      }
      const server = await startServer({ command: program.path, args: [file, '--sentinel'], ready, signal })
      return { connect, [Symbol.asyncDispose]: server[Symbol.asyncDispose] }
    }),
  )
  const asked = await Promise.all(sentinels.map(({ connect }) => connect()))
  stack.defer(async () => {
    for (const each of asked) each.disconnect()
  })
  // From Redis 7 on they look more often if they are told to: their defaults are 10 s and 2 s.
  await Promise.all(
    asked.map((each) => each.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', 500, 'PUBLISH-PERIOD', 250).catch(() => {})),
  )
  // Before that, no majority of them would elect a new primary.
  await until(
    async () => {
      for (const each of asked) {
        const others = (await each.call('SENTINEL', 'SENTINELS', 'pair')) as unknown[]
        const replicas = (await each.call('SENTINEL', 'REPLICAS', 'pair')) as unknown[]
        if (others.length < 2 || replicas.length < 1) return false
      }
      return true
    },
    { signal, what: 'the Sentinels know each other' },
  )

  const owned = stack.move()
  return {
    version: program.version,
    nodes,
    children,
    url,
    async primary() {
      for (const each of asked) {
        const address = await each.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'pair').catch(() => undefined)
        const port = Number((address as [string, string] | undefined)?.[1])
        const node = nodes.find((each) => door(each) === port)
        if (node) return node
      }
      return undefined
    },
    cut: (node) => doors.get(node)?.block(),
    heal() {
      for (const each of doors.values()) each.heal()
    },
    setClock: library === undefined ? undefined : async (node, seconds) => void (await clocks.get(node)?.set(seconds)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Three nodes of NATS with JetStream, as it is configured by default. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { until } from '@repo/common/async/until'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, onOldPort } from '@repo/common/process/ports'
import { startAll } from '@repo/common/process/start-all'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findNats, installStores } from '@repo/common/servers/stores'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { BrokerKind, Reach } from './broker.ts'

export const nats: BrokerKind = {
  missing: async () => ((await findNats()) ? undefined : `needs NATS: ${installStores}`),
  async start(signal) {
    const program = await findNats()
    if (!program) throw new Error(`needs NATS: ${installStores}`)
    await using stack = new AsyncDisposableStack()
    const { path } = stack.use(await temporaryFolder())
    const [user, password] = ['bench', randomBytes(18).toString('hex')]
    const authorization = { user, password }
    const nodes: { name: string; client: number; peer: number }[] = []
    for (const name of ['a', 'b', 'c']) nodes.push({ name, client: await freePort(), peer: await freePort() })
    const launch = async ({ name, client, peer }: (typeof nodes)[number]): Promise<Child> => {
      const settings = {
        server_name: name,
        listen: `127.0.0.1:${client}`,
        authorization,
        jetstream: { store_dir: join(path, name) },
        cluster: {
          name: 'bench',
          listen: `127.0.0.1:${peer}`,
          authorization,
          routes: nodes.map((to) => `nats://${user}:${password}@127.0.0.1:${to.peer}`),
        },
      }
      const file = join(path, `${name}.conf`)
      await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
      return await startServer({ command: program.path, args: ['--config', file], ready: /Server is ready/, signal })
    }
    const running = await startAll(stack, nodes.map(launch))
    stack.defer(async () => void (await Promise.all(running.map((node) => node.stop()))))
    const reach: Reach = {
      endpoints: nodes.map(({ client }) => ({ host: '127.0.0.1', port: client })),
      user,
      password,
    }
    await using connection = await connectNats(reach)
    const manager = await until(() => jetstreamManager(connection), { signal, what: 'JetStream has a leader' })
    await until(() => manager.getAccountInfo(), { signal, what: 'JetStream has a leader' })

    /** Kills the node that leads the stream. */
    async function killLeader() {
      await using asking = await connectNats(reach)
      const [stream] = await (await jetstreamManager(asking)).streams.list().next()
      const leader = nodes.findIndex(({ name }) => name === stream?.cluster?.leader)
      const at = Math.max(0, leader)
      await running[at]?.kill()
      return at
    }
    const owned = stack.move()
    return {
      version: `NATS ${program.version}`,
      durability: 'written by a majority of 3 machines, on disk within 2 min (sync_interval)',
      reach,
      pids: () => running.map(({ pid }) => pid),
      folders: nodes.map(({ name }) => join(path, name)),
      async crash() {
        const at = await killLeader()
        running[at] = await onOldPort(() => launch(nodes[at] as (typeof nodes)[number]), { signal })
      },
      async loseMachine() {
        const at = await killLeader()
        await rm(join(path, nodes[at]?.name ?? ''), { recursive: true, force: true, maxRetries: 5 })
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
}

/** Connects to a node that answers. The connection moves to another one by itself. */
export async function connectNats({ endpoints, user, password }: Reach): Promise<NatsConnection & AsyncDisposable> {
  const connection = await connect({
    servers: endpoints.map(({ host, port }) => `${host}:${port}`),
    user,
    pass: password,
    // The nodes tell their own addresses, which lead around a link that can be cut.
    ignoreClusterUpdates: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    pingInterval: 1_000,
    maxPingOut: 2,
    timeout: 5_000,
  })
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close().catch(() => {}) })
}

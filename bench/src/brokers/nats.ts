/** Three nodes of NATS with JetStream, as it is configured by default. */
import { rm } from 'node:fs/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { until } from '@repo/common/async/until'
import { startNats } from '@repo/common/servers/nats'
import { findNats, installStores } from '@repo/common/servers/stores'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { needing, type Reach } from './broker.ts'

const nodes = ['a', 'b', 'c']

export const nats = needing({ name: 'NATS', install: installStores, find: findNats }, async ({ version }, signal) => {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await startNats(nodes, { withoutLinks: true, signal }))
  const { children } = cluster
  const reach = reachOf(nodes.map(cluster.connectionTo))
  await using connection = await connectNats(reach)
  const manager = await until(() => jetstreamManager(connection), { signal, what: 'JetStream has a leader' })
  await until(() => manager.getAccountInfo(), { signal, what: 'JetStream has a leader' })

  /** Kills the node that leads the stream, and returns its name. */
  async function killLeader(): Promise<string> {
    await using asking = await connectNats(reach)
    const [stream] = await (await jetstreamManager(asking)).streams.list().next()
    const leader = nodes.find((node) => node === stream?.cluster?.leader) ?? 'a'
    await children.get(leader).kill()
    return leader
  }
  const owned = stack.move()
  return {
    version: `NATS ${version}`,
    durability: 'written by a majority of 3 machines, on disk within 2 min (sync_interval)',
    reach,
    pids: () => nodes.map((node) => children.get(node).pid),
    folders: nodes.map(cluster.folder),
    crash: async () => await children.restart(await killLeader()),
    async loseMachine() {
      await rm(cluster.folder(await killLeader()), { recursive: true, force: true, maxRetries: 5 })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
})

function reachOf(places: { servers: string; user: string; pass: string }[]): Reach {
  const endpoints = places.map(({ servers }) => {
    const { hostname, port } = new URL(`nats://${servers}`)
    return { host: hostname, port: Number(port) }
  })
  const [{ user, pass: password } = { user: '', pass: '' }] = places
  return { endpoints, user, password }
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

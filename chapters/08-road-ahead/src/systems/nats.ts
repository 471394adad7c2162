/**
 * A key-value bucket of NATS JetStream that all of three nodes keep. A key's value is the last message of its subject in a
 * stream, and a compare and set is an update that names the revision that was read.
 */
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import { until } from '@repo/common/async/until'
import { startNats } from '@repo/common/servers/nats'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Action, Answer } from '../linear/history.ts'
import { goClock, type Kind, patienceMs, type System } from './system.ts'

const nodes = ['a', 'b', 'c']
const bucket = 'registers'

async function startBucket({ isDirect }: { isDirect: boolean }, signal?: AbortSignal): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await startNats(nodes, { signal }))
  const connectTo = (node: string) =>
    connect({ ...cluster.connectionTo(node), reconnect: false, timeout: patienceMs, ignoreClusterUpdates: true })
  /** What the nodes know of the bucket's stream. Whoever answers: one of them may hang. */
  const streamInfo = () =>
    Promise.any(
      nodes.map(async (node) => {
        const connection = await connectTo(node)
        try {
          const manager = await jetstreamManager(connection, { timeout: patienceMs, checkAPI: false })
          return (await manager.streams.info(`KV_${bucket}`)).cluster
        } finally {
          void connection.close().catch(() => {})
        }
      }),
    )
  const setUp = await connectTo('a')
  // The nodes elect a leader for all of JetStream first, and then one for the bucket.
  const buckets = new Kvm(jetstream(setUp, { timeout: patienceMs }))
  const what = 'JetStream has a bucket on three nodes'
  await until(() => buckets.create(bucket, { replicas: 3, allow_direct: isDirect }), { signal, what })
  await until(async () => (await streamInfo())?.replicas?.every(({ current }) => current), { signal, what })
  await setUp.close()
  // From now on, whoever has the system disposes of the cluster.
  stack.move()
  return {
    ...cluster,
    nodes,
    durability: `a majority has written it (fsync every 2 min: when all are killed, its last second is lost)${isDirect ? '; any node answers reads' : ''}`,
    network: cluster.links,
    untried: [goClock],
    async connect(node) {
      const connection = await connectTo(node)
      const store = await new Kvm(jetstream(connection, { timeout: patienceMs })).open(bucket)
      return { ask: (key, does) => perform(store, key, does), close: () => connection.close().catch(() => {}) }
    },
    leader: async () => (await streamInfo().catch(() => undefined))?.leader,
  }
}

/** JetStream as it is configured by default: any node that has the stream answers reads. */
export const nats: Kind = (signal) => startBucket({ isDirect: true }, signal)
/** Only the leader of the stream answers reads. */
export const natsLeader: Kind = (signal) => startBucket({ isDirect: false }, signal)

/** The server's code for an update of another revision than the last one. */
const wrongRevision = 10_071

async function perform(store: KV, key: string, does: Action): Promise<Answer> {
  if ('write' in does) {
    await store.put(key, does.write)
    return { isDone: true }
  }
  const entry = await store.get(key)
  const value = entry?.string() ?? null
  if ('read' in does) return { read: value }
  if (value !== does.from) return { isDone: false }
  try {
    await (entry ? store.update(key, does.to, entry.revision) : store.create(key, does.to))
    return { isDone: true }
  } catch (error) {
    if ((error as { code?: number }).code === wrongRevision) return { isDone: false }
    throw error
  }
}

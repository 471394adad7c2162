/** Three nodes of RabbitMQ, for quorum queues. They find each other by an epmd of their own, not by the machine's. */
import { randomBytes } from 'node:crypto'
import { glob, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, isListening, onOldPort } from '@repo/common/process/ports'
import { startAll } from '@repo/common/process/start-all'
import { temporaryFolder } from '@repo/common/process/temporary'
import type { InstalledProgram } from '@repo/common/process/version'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { needing } from './broker.ts'

/** Says in messages how to install it. */
const installRabbitMq = 'sudo apt-get install rabbitmq-server (Debian, Ubuntu), brew install rabbitmq (macOS)'

/** What Debian has on PATH becomes another user first; this is what it starts then. */
async function findRabbitMq(): Promise<InstalledProgram | undefined> {
  const patterns = ['/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin', '/opt/homebrew/Cellar/rabbitmq/[0-9]*/sbin']
  for await (const folder of glob(patterns)) {
    const version = /\d+\.\d+\.\d+/.exec(folder)?.[0]
    if (version !== undefined) return { path: join(folder, 'rabbitmq-server'), version }
  }
  return undefined
}

interface Node {
  name: string
  client: number
  peer: number
}

const need = { name: 'RabbitMQ', install: installRabbitMq, find: findRabbitMq }

export const rabbitmq = needing(need, async (program, signal) => {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await temporaryFolder())
  const [user, password] = ['bench', randomBytes(18).toString('hex')]
  // Nodes prove to each other that they belong together.
  await writeFile(join(path, '.erlang.cookie'), randomBytes(18).toString('hex'), { mode: 0o400 })
  await writeFile(join(path, 'plugins'), '[].')
  const epmdPort = await freePort()
  stack.use(
    await startServer({
      command: 'epmd',
      args: ['-port', String(epmdPort), '-address', '127.0.0.1'],
      ready: () => isListening(epmdPort),
      signal,
    }),
  )
  const node = async (name: string): Promise<Node> => ({
    name: `${name}@localhost`,
    client: await freePort(),
    peer: await freePort(),
  })
  const first = await node('a')
  const others = [await node('b'), await node('c')]
  const nodes = [first, ...others]
  const launch = async ({ name, client, peer }: Node): Promise<Child> => {
    const folder = join(path, name)
    await mkdir(folder, { recursive: true })
    const settings = {
      'listeners.tcp.1': `127.0.0.1:${client}`,
      default_user: user,
      default_pass: password,
      'cluster_formation.peer_discovery_backend': 'classic_config',
      ...Object.fromEntries(nodes.map((node, at) => [`cluster_formation.classic_config.nodes.${at + 1}`, node.name])),
      cluster_partition_handling: 'pause_minority',
    }
    const file = join(path, `${name}.conf`)
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`)
    await writeFile(file, lines.join(''), { mode: 0o600 })
    return await startServer({
      command: program.path,
      cwd: path,
      env: {
        HOME: path,
        ERL_EPMD_PORT: String(epmdPort),
        ERL_EPMD_ADDRESS: '127.0.0.1',
        RABBITMQ_NODENAME: name,
        RABBITMQ_DIST_PORT: String(peer),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
        RABBITMQ_MNESIA_DIR: folder,
        RABBITMQ_CONFIG_FILE: file,
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        RABBITMQ_ENABLED_PLUGINS_FILE: join(path, 'plugins'),
        RABBITMQ_LOGS: '-',
      },
      ready: /startup complete|completed with \d+ plugins/,
      stopTimeoutMs: 500,
      signal,
    })
  }
  // Nodes that start at the same moment may not find each other, and would be clusters of one.
  let leader = await launch(first)
  stack.defer(async () => void (await leader.stop()))
  const followers = await startAll(stack, others.map(launch))
  const owned = stack.move()
  return {
    version: `RabbitMQ ${program.version}`,
    durability: 'on the disks of a majority of 3 machines before the answer (quorum queue, publisher confirms)',
    reach: { endpoints: nodes.map(({ client }) => ({ host: '127.0.0.1', port: client })), user, password },
    pids: () => [leader, ...followers].map(({ pid }) => pid),
    folders: nodes.map(({ name }) => join(path, name)),
    // Clients meet the first node first, so it leads the queue at the beginning.
    async crash() {
      await leader.kill()
      leader = await onOldPort(() => launch(first), { signal })
    },
    async loseMachine() {
      await leader.kill()
      await rm(join(path, first.name), { recursive: true, force: true, maxRetries: 5 })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
})

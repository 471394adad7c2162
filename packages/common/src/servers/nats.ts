/** A cluster of NATS servers with JetStream on this machine, whose nodes can be killed and cut off. */
import { randomBytes } from 'node:crypto'
import { cp, rename, rm, writeFile } from 'node:fs/promises'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startServer } from '../process/child.ts'
import { type Children, startChildren } from '../process/children.ts'
import { onFreePorts } from '../process/ports.ts'
import { temporaryFolder } from '../process/temporary.ts'
import { type Links, startLinks } from './links.ts'
import { findNats, installStores } from './stores.ts'

export interface NatsCluster extends AsyncDisposable {
  version: string
  children: Children
  links: Links
  /** For clients to connect with: a node's address, and the account. */
  connectionTo: (node: string) => { servers: string; user: string; pass: string }
  /** Where a node keeps its data. */
  folder: (node: string) => string
  /**
   * Copies what the nodes have written so far, and returns what sets them back to it while they are down. NATS calls fsync
   * every two minutes, so that is what a loss of power may leave.
   */
  keepDisks: () => Promise<() => Promise<void>>
}

export interface NatsOptions {
  /**
   * The nodes reach each other directly, and cannot be cut off: for measurements, because what goes through a link goes
   * through this process.
   */
  withoutLinks?: boolean
  signal?: AbortSignal | undefined
}

/**
 * Starts a cluster on free loopback ports, as NATS is configured by default, with a random password.
 *
 * @param nodes names of three or more nodes
 * @throws an Error of one line if NATS is not installed
 */
export async function startNats(
  nodes: readonly string[],
  { withoutLinks = false, signal }: NatsOptions = {},
): Promise<NatsCluster> {
  const program = await findNats()
  if (!program) throw new Error(`needs NATS: ${installStores}`)
  return await onFreePorts(async () => {
    await using stack = new AsyncDisposableStack()
    const { path } = stack.use(await temporaryFolder())
    const links = stack.use(await startLinks(nodes))
    const [user, password] = ['reader', randomBytes(24).toString('hex')]
    const folderOf = (node: string) => `${path}/${node}`
    const children = stack.use(
      await startChildren(nodes, async (node) => {
        const others = nodes.filter((each) => each !== node)
        const settings = {
          server_name: node,
          listen: `127.0.0.1:${links.clientPort(node)}`,
          authorization: { user, password },
          jetstream: { store_dir: folderOf(node) },
          cluster: {
            name: 'cluster',
            listen: `127.0.0.1:${links.peerPort(node)}`,
            // Nodes tell each other where they are. Nobody is there, so that all go through the links that can be cut.
            ...(!withoutLinks && { advertise: '127.0.0.1:1' }),
            authorization: { user, password },
            routes: others.map((to) => {
              const port = withoutLinks ? links.peerPort(to) : links.link(node, to)
              return `nats://${user}:${password}@127.0.0.1:${port}`
            }),
          },
        }
        const file = `${folderOf(node)}.conf`
        await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
        const args = ['--config', file]
        return await startServer({ command: program.path, args, ready: /Server is ready/, signal })
      }),
    )
    const owned = stack.move()
    return {
      version: program.version,
      children,
      links,
      folder: folderOf,
      connectionTo: (node) => ({ servers: `127.0.0.1:${links.clientPort(node)}`, user, pass: password }),
      async keepDisks() {
        await Promise.all(nodes.map((node) => cp(folderOf(node), `${folderOf(node)}.kept`, { recursive: true })))
        return async () => {
          for (const node of nodes) {
            await rm(folderOf(node), { recursive: true })
            await rename(`${folderOf(node)}.kept`, folderOf(node))
          }
        }
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  })
}

/** The links between the nodes of a store on this machine, so that a node can be cut off from the others. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { freePort } from '../process/ports.ts'
import { startProxy, type Proxy as TcpProxy } from './proxy.ts'

export interface Links extends AsyncDisposable {
  /** The port at which a node is to serve its clients. */
  clientPort: (node: string) => number
  /** The port at which a node is to serve the other nodes. */
  peerPort: (node: string) => number
  /** The port at which one node reaches another: a TCP proxy in front of the other's `peerPort`. */
  link: (from: string, to: string) => number
  /** As after a pulled cable: what is sent between the node and the others waits until `heal`. Clients are not affected. */
  cut: (node: string) => void
  heal: () => void
}

/** Chooses free ports for nodes and starts the links between them. Call it inside `onFreePorts`. */
export async function startLinks(nodes: readonly string[]): Promise<Links> {
  await using stack = new AsyncDisposableStack()
  const own = new Map<string, { client: number; peer: number }>()
  const links: { from: string; to: string; proxy: TcpProxy }[] = []
  for (const to of nodes) {
    const peer = await freePort()
    own.set(to, { client: await freePort(), peer })
    for (const from of nodes)
      if (from !== to) links.push({ from, to, proxy: stack.use(await startProxy({ port: peer })) })
  }
  const owned = stack.move()
  return {
    clientPort: (node) => own.get(node)?.client ?? 0,
    peerPort: (node) => own.get(node)?.peer ?? 0,
    link: (from, to) => links.find((each) => each.from === from && each.to === to)?.proxy.port ?? 0,
    cut(node) {
      for (const { from, to, proxy } of links) if (from === node || to === node) proxy.block()
    },
    heal() {
      for (const { proxy } of links) proxy.heal()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Starts an HTTP proxy for one node, which passes its requests on by its links, whatever their host: for programs that reach
 * all nodes by the same addresses, but honour HTTP_PROXY.
 */
export async function startForwarder(
  from: string,
  nodes: readonly string[],
  { peerPort, link }: Links,
): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((asked, answer) => {
    const { port: wanted, pathname, search } = new URL(asked.url ?? '', 'http://0.0.0.0')
    const to = nodes.find((node) => String(peerPort(node)) === wanted) ?? ''
    const { method, headers } = asked
    const target = { host: '127.0.0.1', port: link(from, to), path: pathname + search, method, headers, agent: false }
    const passed = request(target, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers)
      // It is a stream of messages, which may have none yet.
      answer.flushHeaders()
      got.on('error', () => answer.destroy()).pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    answer.on('close', () => passed.destroy())
    asked.on('error', () => passed.destroy()).pipe(passed)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

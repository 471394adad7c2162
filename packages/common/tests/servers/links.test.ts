import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { expect, it } from 'vitest'
import { startForwarder, startLinks } from '../../src/servers/links.ts'

const nodes = ['a', 'b', 'c']

/** Starts links, and a server behind each node's port that says its name. */
async function startNodes() {
  await using stack = new AsyncDisposableStack()
  const links = stack.use(await startLinks(nodes))
  for (const node of nodes) {
    const server = createServer((_, answer) => answer.end(node)).listen(links.peerPort(node), '127.0.0.1')
    await once(server, 'listening')
    stack.defer(async () => {
      server.close()
      server.closeAllConnections()
    })
  }
  const forwarders = new Map<string, number>()
  for (const node of nodes) forwarders.set(node, stack.use(await startForwarder(node, nodes, links)).port)
  const owned = stack.move()
  return { links, forwarders, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function said(port: number, path = '/'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
  return await response.text()
}

it('each node reaches each other one by a link of its own', async () => {
  await using started = await startNodes()
  const { links } = started
  const ports = nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => links.link(from, to)))
  expect(new Set([...ports, ...nodes.map(links.clientPort), ...nodes.map(links.peerPort)]).size).toBe(12)
  expect(await said(links.link('a', 'b'))).toBe('b')
  expect(links.link('a', 'a')).toBe(0)
})

it('a node that is cut off reaches nobody and is reached by nobody, until that is healed', async () => {
  await using started = await startNodes()
  const { links } = started
  links.cut('a')
  let arrived = 0
  const waiting = [links.link('a', 'b'), links.link('c', 'a')].map((port) => said(port).finally(() => arrived++))
  // While those wait, the others and the clients go on.
  for (let times = 0; times < 20; times++) expect(await said(links.link('b', 'c'))).toBe('c')
  expect(await said(links.peerPort('a'))).toBe('a')
  expect(arrived).toBe(0)
  links.heal()
  expect(await Promise.all(waiting)).toEqual(['b', 'a'])
})

it('an HTTP proxy passes the requests of a node on by its links', async () => {
  await using started = await startNodes()
  const { links, forwarders } = started
  // As to a proxy: with the whole address.
  async function ask(from: string, to: string) {
    const path = `http://0.0.0.0:${links.peerPort(to)}/`
    const [answer] = await once(request({ port: forwarders.get(from), path, agent: false }).end(), 'response')
    return String((await answer.toArray())[0])
  }
  expect(await ask('a', 'b')).toBe('b')
  links.cut('b')
  let arrived = 0
  const waiting = ask('a', 'b').finally(() => arrived++)
  for (let times = 0; times < 20; times++) expect(await ask('a', 'c')).toBe('c')
  expect(arrived).toBe(0)
  links.heal()
  expect(await waiting).toBe('b')
})

import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type RequestOptions, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { expect, it } from 'vitest'
import { isListening } from '../../src/process/ports.ts'
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

/** A proxy for the node a, and a server behind the port of b. Returns how a asks b. */
async function startAsking(answering: RequestListener) {
  await using stack = new AsyncDisposableStack()
  const links = stack.use(await startLinks(['a', 'b']))
  const server = createServer(answering).listen(links.peerPort('b'), '127.0.0.1')
  await once(server, 'listening')
  stack.defer(async () => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = stack.use(await startForwarder('a', ['a', 'b'], links))
  const ask = (path: string, options: RequestOptions = {}, to = links.peerPort('b')) =>
    request({ port, path: `http://0.0.0.0:${to}${path}`, agent: false, ...options })
  const owned = stack.move()
  return { ask, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

it('an HTTP proxy passes on all of a request and of its answer', async () => {
  await using asking = await startAsking((asked, answer) => {
    const { method, url, headers } = asked
    asked.pipe(answer.writeHead(201, { 'x-said': `${method} ${url} ${headers['x-asked']}` }))
  })
  const sent = asking.ask('/a/b?c=d', { method: 'POST', headers: { 'x-asked': 'so' } }).end('the body')
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  expect([answer.statusCode, answer.headers['x-said']]).toEqual([201, 'POST /a/b?c=d so'])
  expect(await text(answer)).toBe('the body')
})

it('an HTTP proxy passes on a stream that has no message yet, and that its reader has gone', async () => {
  const gone = Promise.withResolvers<void>()
  await using asking = await startAsking((_, answer) => {
    answer.on('close', gone.resolve).flushHeaders()
  })
  const sent = asking.ask('/').end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.on('error', () => {})
  sent.destroy()
  await gone.promise
})

it('an HTTP proxy breaks off what its link breaks off, and what leads nowhere', async () => {
  await using asking = await startAsking((_, answer) => {
    answer.write('half', () => answer.destroy())
  })
  const [answer] = (await once(asking.ask('/').end(), 'response')) as [IncomingMessage]
  await expect(text(answer)).rejects.toThrow('aborted')
  await expect(once(asking.ask('/', {}, 1).end(), 'response')).rejects.toThrow('socket hang up')
})

it('an HTTP proxy that is disposed of no longer listens', async () => {
  await using links = await startLinks(['a'])
  const forwarder = await startForwarder('a', ['a'], links)
  await forwarder[Symbol.asyncDispose]()
  expect(await isListening(forwarder.port)).toBe(false)
})

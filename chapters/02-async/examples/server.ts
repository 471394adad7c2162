/**
 * server: one TCP server written three ways under the same load, and 10,000 connections held by one thread
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 02-async start server
 *     pnpm --filter 02-async start server --clients 200 --latency 20
 *     pnpm --filter 02-async start server --connections 10000
 *
 * Server and clients are processes of their own. To answer takes the server a while, in which it only waits.
 *
 * Look for: the first two ways answer as many requests, but only one of them still answers a ping at once; and how little
 * memory a connection costs that does nothing.
 */
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { type Held, holdConnections } from '../src/line-server/held-connections.ts'
import { type HandlerName, handlers } from '../src/line-server/line-server.ts'
import type { LoadResult } from '../src/line-server/load.ts'
import { openFilesLimit, startLineServer, startLoad } from '../src/line-server/processes.ts'

/** What a process needs besides the connections: the program's own files, pipes, and what Node keeps open. */
const otherFiles = 200
/** Each connection needs a port of its own: Linux gives out some 28,000 of them, other systems 16,000. */
const mostConnections = process.platform === 'linux' ? 25_000 : 15_000

export default example(import.meta, {
  options: {
    clients: wholeNumber(1, 1_000).default(50).describe('clients that ask, wait and ask again'),
    latency: number(0.1, 1_000).default(5).describe('ms that the server waits before it can answer'),
    seconds: number(0.1, 600).default(3).describe('how long each load lasts'),
    connections: wholeNumber(0, mostConnections).default(10_000).describe('connections held at once; 0 for none'),
  },
  quick: { seconds: 0.8, connections: 1_000 },

  async run({ clients, latency, seconds, connections }, { signal, print }) {
    const openFiles = openFilesLimit()
    for (const [option, wanted] of Object.entries({ '--connections': connections, '--clients': clients })) {
      if (wanted + otherFiles <= openFiles) continue
      const most = Math.max(0, openFiles - otherFiles)
      throw new UsageError(option, wanted, `up to ${most} here: a process may open ${openFiles} files (ulimit -Hn)`)
    }
    const words = ['whale', 'ship', 'sea', 'ahab', 'captain', 'queequeg', 'white', 'zebra']
    print(`${clients} clients ask three servers that take ${milliseconds(latency)} for an answer …`)

    const names = Object.keys(handlers) as HandlerName[]
    using bar = progress('asking', 100)
    const servers = []
    for (const [at, name] of names.entries()) {
      bar.update(Math.round((100 * at) / names.length), `asking the server "${name}"`)
      await using server = await startLineServer(name, latency, signal)
      await using load = await startLoad(signal)
      // Short, and not counted: the first requests find code that has not been compiled.
      await load.run({ task: 'load', load: { port: server.port, clients, durationMs: 200, words } })
      const measured = await load.run<LoadResult>({
        task: 'load',
        load: { port: server.port, clients, durationMs: 1000 * seconds, words },
      })
      if (measured.wrong > 0) throw new Error(`${measured.wrong} answers of "${name}" are wrong`)
      servers.push({ name, theoryPerSecond: (1000 / latency) * (name === 'asynchronous' ? clients : 1), ...measured })
    }
    print(
      '',
      table(
        ['', 'requests/s', 'at most', 'p50', 'p99', 'ping p50', 'ping p99'],
        servers.map(({ name, perSecond, theoryPerSecond, ...rest }) => [
          name,
          count(Math.round(perSecond)),
          count(Math.round(theoryPerSecond)),
          ...[rest.p50Ms, rest.p99Ms, rest.pingP50Ms, rest.pingP99Ms].map(milliseconds),
        ]),
      ),
    )

    let held: Held | null = null
    if (connections > 0) {
      held = await holdConnections(connections, latency, signal, (open) =>
        bar.update(Math.round((100 * open) / connections), 'opening connections'),
      )
      print(
        '',
        `${count(held.connections)} connections to one asynchronous server, opened in ${milliseconds(held.openMs)}.`,
        `The server's memory grew from ${bytes(held.rssBefore)} to ${bytes(held.rssAfter)}: ${bytes(held.bytesPerConnection)} for each, beside what the kernel keeps.`,
        `All asked at once; the last answer was there after ${milliseconds(held.askAllMs)}.`,
      )
    }
    return {
      clients,
      latencyMs: latency,
      seconds,
      openFiles: Number.isFinite(openFiles) ? openFiles : null,
      servers,
      held,
    }
  },
  figure: ({ servers, held }) => {
    const rates = servers.map(({ name, perSecond }) => `${name} ${count(Math.round(perSecond))}/s`).join(', ')
    return held ? `${rates}; ${count(held.connections)} connections at ${bytes(held.bytesPerConnection)} each` : rates
  },
})

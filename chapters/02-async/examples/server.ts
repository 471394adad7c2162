/**
 * server: one TCP server written three ways under the same load, and 10,000 connections held by one thread
 *
 *     pnpm --filter 02-async start server
 *     pnpm --filter 02-async start server --clients 200 --latency 20
 *
 * Server and clients are processes of their own. The server takes a while for each answer, and only waits meanwhile.
 *
 * Look for: the first two ways answer as many requests, but only one of them still answers a ping at once; and how
 * little memory an idle connection costs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { type Held, holdConnections } from '../src/line-server/held-connections.ts'
import type { MakeHandler } from '../src/line-server/line-server.ts'
import type { LoadResult } from '../src/line-server/load.ts'
import { connectionsLimit, mostPorts, startLineServer, startLoad } from '../src/line-server/processes.ts'

/** Three ways to handle requests on one thread. Each look-up takes a while, as if the index lay on a slow disk. */
// #region handlers
export const handlers = {
  // A request waits until the one before it has been answered, no matter which client sent it.
  'one at a time': (lookUp, latencyMs) => {
    let previous = Promise.resolve()
    return (word, reply) => {
      previous = previous.then(() => delay(latencyMs)).then(() => reply(lookUp(word)))
    }
  },
  // The thread itself waits, as in a blocking read. Meanwhile it handles nothing, not even a new connection.
  'one blocked thread': (lookUp, latencyMs) => (word, reply) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, latencyMs)
    reply(lookUp(word))
  },
  // All requests wait together; each is answered when its own time is over.
  asynchronous: (lookUp, latencyMs) => async (word, reply) => {
    await delay(latencyMs)
    reply(lookUp(word))
  },
} satisfies Record<string, MakeHandler>
// #endregion handlers

export default example(import.meta, {
  options: {
    clients: wholeNumber(1, 1_000).default(50).describe('clients that ask, wait and ask again'),
    latency: number(0.1, 1_000).default(5).describe('ms that the server waits before it can answer'),
    seconds: number(0.1, 600).default(3).describe('how long each load lasts'),
    connections: wholeNumber(0, mostPorts).default(10_000).describe('connections held at once; 0 for none'),
  },
  quick: { seconds: 0.8, connections: 1_000 },

  async run({ clients, latency, seconds, connections }, { signal, print }) {
    const { most, openFiles } = connectionsLimit()
    for (const [option, wanted] of Object.entries({ '--connections': connections, '--clients': clients })) {
      const accepts = `up to ${most} here: a process may open ${openFiles} files (ulimit -Hn)`
      if (wanted > most) throw new UsageError(option, wanted, accepts)
    }
    print(`${clients} clients ask three servers that take ${milliseconds(latency)} for an answer …`)

    // Each server is a process that loads this file for its handler.
    const start = (name: string) => startLineServer({ module: import.meta.url, name, latencyMs: latency }, signal)
    using bar = progress('asking', 100)
    const servers = []
    for (const [at, name] of Object.keys(handlers).entries()) {
      bar.update(30 * at, `asking the server "${name}"`)
      await using server = await start(name)
      await using load = await startLoad(signal)
      const ask = (durationMs: number) =>
        load.run<LoadResult>({ task: 'load', load: { port: server.port, clients, durationMs } })
      // Short, and not counted: the first requests meet code that has not been compiled.
      await ask(200)
      const measured = await ask(1000 * seconds)
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

    // The asynchronous server holds many connections, and answers over all of them at once.
    let held: Held | null = null
    if (connections > 0) {
      await using server = await start('asynchronous')
      await using load = await startLoad(signal)
      const onOpen = (open: number) => bar.update(Math.round((100 * open) / connections), 'opening connections')
      held = await holdConnections(server, load, connections, { signal, onOpen })
      print(
        '',
        `${count(held.connections)} connections to one asynchronous server, opened in ${milliseconds(held.openMs)}.`,
        `The server's memory grew from ${bytes(held.rssBefore)} to ${bytes(held.rssAfter)}: ${bytes(held.bytesPerConnection)} for each, plus what the kernel keeps.`,
        `All of them asked at once; the last answer came after ${milliseconds(held.askAllMs)}.`,
      )
    }
    return { clients, latencyMs: latency, seconds, openFiles, servers, held }
  },
  figure: ({ servers, held }) => {
    const rates = servers.map(({ name, perSecond }) => `${name} ${count(Math.round(perSecond))}/s`).join(', ')
    return held ? `${rates}; ${count(held.connections)} connections at ${bytes(held.bytesPerConnection)} each` : rates
  },
})

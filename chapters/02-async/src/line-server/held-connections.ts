/** Many connections to one server that do nothing most of the time, and what they cost it. */
import { until } from '@repo/common/async/until'
import { startLineServer, startLoad } from './processes.ts'

export interface Held {
  /** By the server's own count. */
  connections: number
  openMs: number
  rssBefore: number
  rssAfter: number
  bytesPerConnection: number
  /** Until every connection had its answer to a question. */
  askAllMs: number
}

/**
 * Starts an asynchronous server and a process that holds so many connections to it open, and has each of them ask once.
 *
 * @throws an Error when one of them does not get its answer
 */
export async function holdConnections(
  total: number,
  latency: number,
  signal: AbortSignal,
  onOpen: (open: number) => void,
): Promise<Held> {
  await using server = await startLineServer('asynchronous', latency, signal)
  await using load = await startLoad(signal)
  const before = await server.state()
  const start = performance.now()
  await load.run({ task: 'open', port: server.port, total }, onOpen)
  // The kernel says yes to a client before the server has taken its connection in.
  let after = await server.state()
  const has = async () => {
    after = await server.state()
    return after.connections === total
  }
  await until(has, { what: `${total} connections at the server`, everyMs: 2, signal })
  const openMs = performance.now() - start
  const asked = await load.run<{ right: number; ms: number }>({ task: 'ask all' })
  if (asked.right !== total) throw new Error(`only ${asked.right} of ${total} connections got their answer`)
  return {
    connections: after.connections,
    openMs,
    rssBefore: before.rss,
    rssAfter: after.rss,
    askAllMs: asked.ms,
    bytesPerConnection: (after.rss - before.rss) / total,
  }
}

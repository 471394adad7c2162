/** Many connections to one server that do nothing most of the time, and what they cost the server. */
import { until } from '@repo/common/async/until'
import type { LoadProcess, ServerProcess } from './processes.ts'

export interface Held {
  /** By the server's own count. */
  connections: number
  openMs: number
  /** The server's resident memory in bytes. */
  rssBefore: number
  rssAfter: number
  bytesPerConnection: number
  /** Until every connection had the answer to a question. */
  askAllMs: number
}

/**
 * Has the clients open `total` connections to the server and keep them, and then ask once over each of them.
 *
 * @param onOpen called with the number of connections that are open
 * @throws an Error if one of them does not get its answer
 */
export async function holdConnections(
  server: ServerProcess,
  load: LoadProcess,
  total: number,
  { signal, onOpen }: { signal: AbortSignal; onOpen: (open: number) => void },
): Promise<Held> {
  const before = await server.state()
  const start = performance.now()
  await load.run({ task: 'open', port: server.port, total }, onOpen)
  // The kernel accepts a connection for the server, which takes it over later.
  let after = await server.state()
  const hasAll = async () => {
    after = await server.state()
    return after.connections === total
  }
  await until(hasAll, { what: `${total} connections at the server`, everyMs: 2, signal })
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

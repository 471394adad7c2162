/** Orders through the pipeline with logs, wrong clocks, a token in each request, and a line that is only half written. */
import { randomUUID } from 'node:crypto'
import { appendFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ordersOf, placeOrders, stockFor } from '../pipeline/load.ts'
import { startPipeline } from '../pipeline/pipeline.ts'
import { logFile } from '../watch/logs.ts'
import { observed } from '../watch/observe.ts'

/** By how many ms each clock is wrong; simulated. */
const clocks = { front: 0, 'payment 1': 4_000, 'payment 2': -3_000, 'shipping 1': -90_000, 'shipping 2': 700 }

/**
 * Fills a folder with the logs of all processes, on all levels.
 *
 * @returns how many of the files have the token of the requests in them: none, if all is well
 */
export async function runWithLogs(
  folder: string,
  { count, seed, signal }: { count: number; seed: number; signal: AbortSignal },
): Promise<number> {
  const orders = ordersOf(seed, count)
  const token = randomUUID()
  const headersOf = ({ id }: { id: string }) => ({ authorization: `Bearer ${token}`, 'x-correlation-id': `shop-${id}` })
  {
    const watched = observed({ logs: folder }, { LOG_LEVEL: 'debug' })
    await using pipeline = await startPipeline({ stock: stockFor(orders), clocks, ...watched, signal })
    await placeOrders({ url: pipeline.url, orders, signal, headersOf })
    await pipeline.drained({ signal })
  }
  // As a process does that is killed while it writes.
  await appendFile(logFile(folder, 'payment 1'), '{"level":30,"time":1795')
  const files = await readdir(folder)
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return texts.filter((text) => text.includes(token)).length
}

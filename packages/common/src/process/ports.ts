/** Free ports. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port of the loopback interface that is free now; another process may take it before it is used, so be ready to retry.
 * It is below those that systems hand out to whoever asks for any port, as every connection does: they cannot take it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      // Taken, or reserved by Windows.
      if (['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) continue
      throw error
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Ports for servers that need to know their port before they start. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { requireMs } from '../async/timer.ts'

/**
 * Returns a port of the loopback interface that is free now. Another process may take it before it is used, so use it
 * inside `onFreePorts`. It is below the range from which systems take a port for each outgoing connection.
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

/** Returns whether something listens on a port of the loopback interface. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

const attempts = 5

/** Whether a start has failed because another program has taken the port in the meantime. */
function isPortTaken(error: unknown): boolean {
  return error instanceof Error && /EADDRINUSE|address already in use/i.test(error.message)
}

/**
 * Calls a function that takes free ports and starts something on them. If another program has taken one of the ports in
 * the meantime, calls it again, at most five times.
 */
export async function onFreePorts<Result>(start: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      if (!isPortTaken(error) || attempt === attempts) throw error
    }
  }
}

/**
 * Starts something again on its old port. While it was down, the system may have given the port to an outgoing
 * connection. So the start is repeated for a while; 60 s by default.
 */
export async function onOldPort<Result>(
  start: () => Promise<Result>,
  { signal, timeoutMs = 60_000 }: { signal?: AbortSignal | undefined; timeoutMs?: number } = {},
): Promise<Result> {
  const deadline = performance.now() + requireMs(timeoutMs, 'timeoutMs')
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (!isPortTaken(error) || performance.now() > deadline) throw error
      await delay(100, undefined, { signal })
    }
  }
}

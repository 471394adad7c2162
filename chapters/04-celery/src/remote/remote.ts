/**
 * Remote objects: one process serves an object, another calls its methods, each through a WebSocket. The calls themselves
 * are capnweb's; added here are what a server needs before it may listen: a shared secret, bounds, and clear errors.
 *
 * The secret is checked when the WebSocket is opened, before the first message is read. It travels as it is: beyond the
 * loopback interface, use a tunnel.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { RpcSession, type RpcStub, type RpcTarget } from 'capnweb'
import { WebSocket, WebSocketServer } from 'ws'
import type { z } from 'zod'
import { DisconnectedError, type Traffic, WebSocketTransport } from './transport.ts'

export { DisconnectedError }

export const shortestSecret = 16
/** Until a connection is open, and for a call where no other time is given. */
export const defaultTimeoutMs = 5_000
/** How large a message may be, in either direction. */
const maxMessageBytes = 1 << 20

export interface ServeOptions {
  /** What every client must know: at least `shortestSecret` characters. */
  secret: string
  /** The address to listen on; 127.0.0.1, which only this machine can reach. */
  host?: string
  /** 0, when not given, is a free one. */
  port?: number
  /** How often a client is asked whether it is still there; 15 s. One that has not answered by the next time is dropped. */
  pingEveryMs?: number
  /** Stops the server when aborted. */
  signal?: AbortSignal | undefined
}

export interface RemoteServer extends AsyncDisposable {
  /** Where clients connect: `ws://127.0.0.1:41234`. */
  address: string
  /** How many clients are connected. */
  readonly connections: number
}

/**
 * Serves an object. Only what the object has as methods and getters can be called; a class's `#private` and its own
 * fields cannot, nor what every object inherits (`constructor`, `__proto__`).
 *
 * @param open called for each connection, returns the object for it: a new one, or a `dup()` of a stub that all share.
 *   capnweb calls its `[Symbol.dispose]` when the connection has ended
 * @throws RangeError when the secret is too short, and an Error when the address cannot be listened on
 */
export async function serve(
  open: () => RpcTarget | RpcStub<RpcTarget>,
  { secret, host = '127.0.0.1', port = 0, pingEveryMs = 15_000, signal }: ServeOptions,
): Promise<RemoteServer> {
  signal?.throwIfAborted()
  if (secret.length < shortestSecret) throw new RangeError(`the secret is shorter than ${shortestSecret} characters`)
  const http = createServer((_request, response) => response.writeHead(426).end('WebSocket only\n'))
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes })
  const transports = new Set<WebSocketTransport>()

  http.on('upgrade', (request, stream, head) => {
    const socket = stream as Socket
    const refusal = refusalOf(request, secret)
    if (refusal) {
      socket.on('error', () => {})
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
      return
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const transport = new WebSocketTransport(ws, `the client ${socket.remoteAddress}:${socket.remotePort}`)
      transports.add(transport)
      ws.on('close', () => transports.delete(transport))
      dropWhenSilent(ws, pingEveryMs)
      new RpcSession(transport, open(), { onSendError: keepType })
    })
  })
  http.listen(port, host)
  await once(http, 'listening')

  let stopped: Promise<unknown> | undefined
  function stop() {
    stopped ??= (async () => {
      signal?.removeEventListener('abort', stop)
      for (const transport of transports) transport.close(1001)
      http.close()
      http.closeAllConnections()
      await once(http, 'close')
    })()
    return stopped
  }
  signal?.addEventListener('abort', stop)

  const at = http.address() as AddressInfo
  return {
    address: `ws://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`,
    get connections() {
      return transports.size
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

function refusalOf({ headers }: IncomingMessage, secret: string): string | undefined {
  // Every web page may open WebSockets to loopback, but a browser always says for which page it does.
  if (headers.origin !== undefined) return '403 Forbidden'
  // As hashes of equal length, compared in constant time: how long it takes says nothing about the secret.
  const [given, expected] = [headers.authorization ?? '', bearer(secret)].map((text) => hash('sha256', text, 'buffer'))
  return given && expected && timingSafeEqual(given, expected) ? undefined : '401 Unauthorized'
}

const bearer = (secret: string) => `Bearer ${Buffer.from(secret).toString('base64url')}`

/** capnweb makes an Error of every error that JavaScript itself does not know; its own name travels as `type`. */
function keepType(error: Error) {
  if (Object.isExtensible(error)) Object.assign(error, { type: error.name })
}

/** The type of an error that a remote method has thrown, such as `RangeError` or `UnknownNameError`. */
export function typeOf(error: Error & { type?: unknown }): string {
  return typeof error.type === 'string' ? error.type : error.name
}

/**
 * Checks an argument of a remote method: TypeScript's types end at the process's border.
 *
 * @throws TypeError that says in one line which argument is wrong and why
 */
export function accept<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new TypeError(`${[name, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not accepted'}`)
}

/** Ends a connection whose other end no longer answers, so that what it holds here is released. */
function dropWhenSilent(ws: WebSocket, pingEveryMs: number) {
  let answered = true
  ws.on('pong', () => {
    answered = true
  })
  const timer = setInterval(() => {
    if (!answered) return ws.terminate()
    answered = false
    ws.ping()
  }, pingEveryMs)
  ws.on('close', () => clearInterval(timer))
}

export interface ConnectOptions {
  secret: string
  /** How long it may take until the connection is open; 5 s. */
  timeoutMs?: number
  /** Ends the connection when aborted; calls under way then fail. */
  signal?: AbortSignal | undefined
}

/** A connection to a server; disposing of it ends it, and releases all that was held through it at the other end. */
export interface Connection<T extends RpcTarget> extends Disposable {
  /** The object that the server serves: calling its methods calls it there. */
  remote: RpcStub<T>
  /** How many messages of the protocol have gone each way. */
  readonly traffic: Traffic
  /** How many objects at the other end this one holds (`imports`), and the other way round (`exports`). */
  references: () => { imports: number; exports: number }
  /** Fulfilled, with why, when the connection has ended. Calls under way have then failed with the same error. */
  closed: Promise<DisconnectedError>
}

/**
 * Connects to a server.
 *
 * @throws DisconnectedError when it cannot be reached, does not answer in time, or refuses the secret
 */
export async function connect<T extends RpcTarget>(
  address: string,
  { secret, timeoutMs = defaultTimeoutMs, signal }: ConnectOptions,
): Promise<Connection<T>> {
  signal?.throwIfAborted()
  const ws = new WebSocket(address, {
    headers: { authorization: bearer(secret) },
    maxPayload: maxMessageBytes,
    handshakeTimeout: timeoutMs,
    perMessageDeflate: false,
  })
  const abort = () => ws.terminate()
  signal?.addEventListener('abort', abort)
  ws.on('close', () => signal?.removeEventListener('abort', abort))
  const transport = await new Promise<WebSocketTransport>((resolve, reject) => {
    ws.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.message || error.code
      reject(signal?.aborted ? signal.reason : new DisconnectedError(`${address} cannot be reached: ${why}`))
    })
    ws.on('unexpected-response', (request, { statusCode }) => {
      request.destroy()
      const why = statusCode === 401 ? 'refuses the secret' : `answers ${statusCode}: it serves no remote objects`
      reject(new DisconnectedError(`${address} ${why}`))
    })
    ws.on('open', () => resolve(new WebSocketTransport(ws, address)))
  })
  const session = new RpcSession<T>(transport, undefined, { onSendError: keepType })
  const remote = session.getRemoteMain()
  return {
    remote,
    traffic: transport.traffic,
    references: () => session.getStats(),
    closed: transport.closed,
    [Symbol.dispose]: () => remote[Symbol.dispose](),
  }
}

/** A call has taken too long. It may still be done at the other end. */
class CallTimeoutError extends Error {
  override name = 'CallTimeoutError'
}

/**
 * Waits for a call, but not for ever. The other end is told that nobody wants the result any more; the method itself runs on.
 *
 * @throws CallTimeoutError after `timeoutMs`; otherwise what the call throws
 */
export async function within<T>(call: PromiseLike<T> & Partial<Disposable>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new CallTimeoutError(`no answer within ${timeoutMs} ms`))
      call[Symbol.dispose]?.()
    }, timeoutMs)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}

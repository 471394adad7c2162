/**
 * Remote objects: one process serves an object, others call its methods through WebSockets. capnweb does the calls.
 * This module adds what a server needs before it may listen: a shared secret, limits, and clear errors.
 *
 * The server checks the secret when a WebSocket is opened, before it reads the first message. The secret travels as it
 * is: beyond the loopback interface, use a tunnel.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { after, requireMs, type Timer } from '@repo/common/async/timer'
import { errorOf, messageOf } from '@repo/common/output/errors'
import { RpcSession, type RpcStub, type RpcTarget } from 'capnweb'
import { WebSocket, WebSocketServer } from 'ws'
import type { z } from 'zod'
import { DisconnectedError, type Traffic, WebSocketTransport } from './transport.ts'

export { DisconnectedError }

export const shortestSecret = 16
/** For opening a connection, and for a call without a time limit of its own. */
export const defaultTimeoutMs = 5_000
/** The largest message, in either direction. */
const maxMessageBytes = 1 << 20
/** An error's message is cut to this length: a longer one could be larger than a message may be. */
const longestErrorMessage = 2_000
/** A longer timer of Node's fires at once. */
const longestTimerMs = 2 ** 31 - 1
/** WebSocket's code for a server that cannot do what the client wants. */
const internalError = 1011

export interface ServeOptions {
  /** Every client must know it: at least `shortestSecret` characters. */
  secret: string
  /** The address to listen on; by default 127.0.0.1, which only this machine can reach. */
  host?: string
  /** By default 0: a free one. */
  port?: number
  /** How often each client is pinged; 15 s by default, Infinity never. A client that has not answered by the next ping is dropped. */
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
 * Serves an object. Clients can call its methods and getters; they cannot reach a class's `#private` members, an
 * object's own fields, or what every object inherits (`constructor`, `__proto__`).
 *
 * @param open returns the object for a new connection: a new one, or a `dup()` of a stub that all share. capnweb calls
 *   its `[Symbol.dispose]` when the connection has ended. If it throws, the connection ends, and the client learns why
 * @throws RangeError if the secret is too short, and an Error if it cannot listen on the address
 */
export async function serve(
  open: () => RpcTarget | RpcStub<RpcTarget>,
  { secret, host = '127.0.0.1', port = 0, pingEveryMs = 15_000, signal }: ServeOptions,
): Promise<RemoteServer> {
  signal?.throwIfAborted()
  requireMs(pingEveryMs, 'pingEveryMs')
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
      try {
        new RpcSession(transport, open(), { onSendError: toSend })
      } catch (error) {
        // Thrown here, it would end the server, and with it the connections of all others.
        transport.close(internalError, `it has no object for this client: ${messageOf(error)}`)
      }
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
  // Any web page may open WebSockets to this machine, but a browser always says for which page it opens one.
  if (headers.origin !== undefined) return '403 Forbidden'
  // Hashes have equal lengths and are compared in constant time, so the time it takes reveals nothing about the secret.
  const [given, expected] = [headers.authorization ?? '', bearer(secret)].map((text) => hash('sha256', text, 'buffer'))
  return given && expected && timingSafeEqual(given, expected) ? undefined : '401 Unauthorized'
}

const bearer = (secret: string) => `Bearer ${Buffer.from(secret).toString('base64url')}`

/**
 * What travels of an error: its type and its message. Its other properties stay here, for those of ioredis's errors have
 * the password in them. capnweb turns an error whose class JavaScript does not define into an Error; so its own name
 * travels as `type`.
 */
function toSend(error: Error): Error {
  const { name } = errorOf(error)
  const sent = Object.assign(new Error(messageOf(error).slice(0, longestErrorMessage)), { name, type: name })
  // capnweb sends a stack that is there.
  sent.stack = ''
  return sent
}

/** Returns the type of an error that a remote method threw, such as `RangeError` or `UnknownNameError`. */
export function typeOf(thrown: unknown): string {
  // A method may throw whatever can be sent: null, a text.
  const { type, name } = Object(thrown) as { type?: unknown; name?: unknown }
  const text = [type, name].find((each) => typeof each === 'string')
  return typeof text === 'string' ? text : thrown === null ? 'null' : typeof thrown
}

/**
 * Checks an argument of a remote method, because TypeScript's types end at the border of the process.
 *
 * @throws TypeError that says in one line which argument is wrong, and why
 */
export function accept<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new TypeError(`${[name, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not accepted'}`)
}

/** Ends a connection whose other end no longer answers, which releases everything it holds here. */
function dropWhenSilent(ws: WebSocket, pingEveryMs: number) {
  let answered = true
  ws.on('pong', () => {
    answered = true
  })
  let timer: Timer
  const next = () => {
    timer = after(pingEveryMs, () => {
      if (!answered) return ws.terminate()
      answered = false
      ws.ping()
      next()
    })
  }
  next()
  ws.on('close', () => timer.clear())
}

export interface ConnectOptions {
  secret: string
  /** How long opening the connection may take; 5 s by default. Infinity sets no limit. */
  timeoutMs?: number
  /** Aborting it ends the connection; calls under way then fail. */
  signal?: AbortSignal | undefined
}

/** A connection to a server. Disposing of it ends it, and releases everything that it holds at the other end. */
export interface Connection<T extends RpcTarget> extends Disposable {
  /** Stands for the object: calling a method here calls it there. */
  remote: RpcStub<T>
  /** Counts the messages of the protocol in each direction. */
  readonly traffic: Traffic
  /** How many objects of the other end this end holds (`imports`), and vice versa (`exports`). */
  references: () => { imports: number; exports: number }
  /**
   * Fulfilled, with the reason, when the connection has ended. Calls under way have then failed with the same error.
   */
  closed: Promise<DisconnectedError>
}

/**
 * Connects to a server.
 *
 * @throws DisconnectedError if the server cannot be reached, does not answer in time, or refuses the secret
 */
export async function connect<T extends RpcTarget>(
  address: string,
  { secret, timeoutMs = defaultTimeoutMs, signal }: ConnectOptions,
): Promise<Connection<T>> {
  signal?.throwIfAborted()
  requireMs(timeoutMs, 'timeoutMs')
  const ws = new WebSocket(address, {
    headers: { authorization: bearer(secret) },
    maxPayload: maxMessageBytes,
    // For ws, 0 is no limit.
    handshakeTimeout: timeoutMs > longestTimerMs ? 0 : Math.max(timeoutMs, 1),
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
  const session = new RpcSession<T>(transport, undefined, { onSendError: toSend })
  const remote = session.getRemoteMain()
  return {
    remote,
    traffic: transport.traffic,
    references: () => session.getStats(),
    closed: transport.closed,
    [Symbol.dispose]: () => remote[Symbol.dispose](),
  }
}

/** A call took too long. The other end may still finish it. */
class CallTimeoutError extends Error {
  override name = 'CallTimeoutError'
}

/**
 * Waits for a call, but not for ever. Then the other end learns that nobody wants the result; the method runs on.
 *
 * @throws CallTimeoutError after `timeoutMs`; otherwise what the call throws
 */
export async function within<T>(call: PromiseLike<T> & Partial<Disposable>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  using _timer = after(
    timeoutMs,
    () => {
      late.reject(new CallTimeoutError(`no answer within ${timeoutMs} ms`))
      call[Symbol.dispose]?.()
    },
    'timeoutMs',
  )
  return await Promise.race([call, late.promise])
}

/**
 * A bad network link: a TCP proxy on loopback in front of a server, with delay, cut connections and silence. It does to
 * connections what a firewall or a pulled cable does, without root and on every system.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { requireMs, sleep } from '../async/timer.ts'

export interface Proxy extends AsyncDisposable {
  /** Clients connect here instead of to the server. */
  host: string
  port: number
  /** Added in each direction, in ms; a round trip takes twice as much. It may be changed at any time. */
  delayMs: number
  /** The number of open connections. */
  readonly connections: number
  /** The bytes from the clients (`up`) and from the server (`down`) since the start. */
  readonly bytes: { up: number; down: number }
  /** Resets every open connection, on both sides. New connections are accepted. */
  cut: () => void
  /** Resets the first connection that carries this number of bytes in one direction; only that one. */
  cutAfter: (bytes: number, direction?: 'up' | 'down') => void
  /**
   * Silence, as after a pulled cable: nothing arrives in either direction, neither side notices, and new connections
   * get no answer. After `heal()` all that was sent arrives, as TCP would send it again.
   */
  block: () => void
  /** Resets every connection, and each new one, until `heal()`: as when the host runs but the server does not. */
  refuse: () => void
  /** Ends `block` and `refuse`. */
  heal: () => void
}

export interface ProxyOptions {
  /** The server's. */
  port: number
  /** The server's; 127.0.0.1 by default. */
  host?: string
  delayMs?: number
  signal?: AbortSignal | undefined
}

/** The sender waits when this number of bytes is under way in one direction of a connection. */
const windowBytes = 4 << 20

/** Starts a proxy on a free loopback port. Disposing of it resets its connections and closes the port. */
export async function startProxy({ port, host = '127.0.0.1', delayMs = 0, signal }: ProxyOptions): Promise<Proxy> {
  signal?.throwIfAborted()
  const link = new Link(delayMs)
  const open = new Set<Socket>()
  const cut = () => {
    for (const socket of open) reset(socket)
  }

  async function carry(client: Socket) {
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const resetBoth = () => {
      reset(client)
      reset(server)
    }
    for (const socket of [client, server]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      // Before the pipelines see the error, which would end the other side as if nothing had happened.
      socket.on('error', resetBoth)
    }
    try {
      // Connecting over a real link takes a round trip.
      await sleep(2 * link.delayMs)
      await Promise.all([
        pipeline(client, new OneWay(link, 'up', resetBoth), server),
        pipeline(server, new OneWay(link, 'down', resetBoth), client),
      ])
    } catch {
      resetBoth()
    }
  }

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (link.refusing) reset(client)
    else void carry(client)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)

  let closed: Promise<unknown> | undefined
  function close() {
    closed ??= (async () => {
      signal?.removeEventListener('abort', close)
      listener.close()
      cut()
      link.heal()
      await once(listener, 'close')
    })()
    return closed
  }
  signal?.addEventListener('abort', close, { once: true })

  return {
    host: address.address,
    port: address.port,
    get delayMs() {
      return link.delayMs
    },
    set delayMs(ms) {
      link.delayMs = ms
    },
    get connections() {
      // Each connection has two sockets.
      return Math.ceil(open.size / 2)
    },
    bytes: link.bytes,
    cut,
    cutAfter: (bytes, direction = 'up') => {
      link.cutAt = { direction, bytes }
    },
    block: () => link.block(),
    refuse: () => {
      link.refusing = true
      cut()
    },
    heal: () => link.heal(),
    [Symbol.asyncDispose]: async () => void (await close()),
  }
}

/**
 * Closes a socket at once, with a reset if it has not been ended. Node's `resetAndDestroy` first writes all data, which
 * a silent peer prevents for ever. If `pipeline` destroys the socket in the meantime, Node refuses the reset, never
 * closes the socket, and the process cannot exit. So this function only sets the mark that makes `destroy` send a
 * reset.
 */
function reset(socket: Socket) {
  if (!socket.connecting && !socket.writableEnded) Object.assign(socket, { resetAndClosing: true })
  socket.destroy()
}

/** The state of the link, which all connections share. */
class Link {
  #delayMs = 0
  refusing = false
  cutAt: { direction: 'up' | 'down'; bytes: number } | undefined
  readonly bytes = { up: 0, down: 0 }
  /** Resolves when the link carries data again; undefined while it does. */
  #blocked: PromiseWithResolvers<void> | undefined

  constructor(delayMs: number) {
    this.delayMs = delayMs
  }

  get delayMs() {
    return this.#delayMs
  }

  set delayMs(ms) {
    this.#delayMs = requireMs(ms, 'delayMs')
  }

  get healed() {
    return this.#blocked?.promise
  }

  block() {
    this.#blocked ??= Promise.withResolvers()
  }

  heal() {
    this.refusing = false
    this.#blocked?.resolve()
    this.#blocked = undefined
  }
}

/** One direction of one connection: passes on each chunk when it is due, in order. */
class OneWay extends Transform {
  readonly #link: Link
  readonly #direction: 'up' | 'down'
  readonly #reset: () => void
  readonly #underWay: { chunk: Buffer; dueMs: number }[] = []
  #bytesUnderWay = 0
  #carried = 0
  /** Lets the sender continue when there is room again. */
  #waiting: TransformCallback | undefined
  #flushed: TransformCallback | undefined
  #delivering = false

  constructor(link: Link, direction: 'up' | 'down', reset: () => void) {
    super({ highWaterMark: windowBytes })
    this.#link = link
    this.#direction = direction
    this.#reset = reset
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
    this.#underWay.push({ chunk, dueMs: performance.now() + this.#link.delayMs })
    this.#bytesUnderWay += chunk.length
    if (this.#bytesUnderWay < windowBytes) done()
    else this.#waiting = done
    void this.#deliver()
  }

  override _flush(done: TransformCallback) {
    this.#flushed = done
    void this.#deliver()
  }

  async #deliver() {
    if (this.#delivering) return
    this.#delivering = true
    for (let next = this.#underWay[0]; next; next = this.#underWay[0]) {
      // In a loop, because a timer may fire a little early, and nothing may arrive before it is due.
      for (let early = next.dueMs - performance.now(); early > 0; early = next.dueMs - performance.now()) {
        await sleep(Math.ceil(early))
      }
      while (this.#link.healed) await this.#link.healed
      if (this.destroyed) return
      this.#underWay.shift()
      this.#bytesUnderWay -= next.chunk.length
      if (this.#isCutBy(next.chunk.length)) return this.#reset()
      this.push(next.chunk)
      const waiting = this.#waiting
      this.#waiting = undefined
      waiting?.()
    }
    this.#delivering = false
    // The end of the stream comes after its last byte, and waits for the link too.
    const flushed = this.#flushed
    if (!flushed) return
    while (this.#link.healed) await this.#link.healed
    flushed()
  }

  #isCutBy(length: number) {
    this.#link.bytes[this.#direction] += length
    this.#carried += length
    const { cutAt } = this.#link
    if (cutAt?.direction !== this.#direction || this.#carried < cutAt.bytes) return false
    this.#link.cutAt = undefined
    return true
  }
}

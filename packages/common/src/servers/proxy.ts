/**
 * A link that can be bad: a TCP proxy on loopback in front of a server, with delay, cut connections, and silence. What a
 * firewall or a pulled cable does to a connection, without root and on every system.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

export interface Proxy extends AsyncDisposable {
  /** Where clients connect instead of to the server. */
  host: string
  port: number
  /** What the link adds on each way, in ms: half of what it adds to a round trip. May be changed at any time. */
  delayMs: number
  /** How many connections are open now. */
  readonly connections: number
  /** How many bytes have come from the clients (`up`) and from the server (`down`) since the start. */
  readonly bytes: { up: number; down: number }
  /** Resets every open connection, on both sides. New ones are taken. */
  cut: () => void
  /** Resets, once, the connection that next carries the given number of bytes in one direction. */
  cutAfter: (bytes: number, direction?: 'up' | 'down') => void
  /**
   * Silence: nothing arrives in either direction and no side is told, as when a cable is pulled; connections are half
   * open, new ones get no answer. What was sent meanwhile arrives after `heal()`, as TCP would send it again.
   */
  block: () => void
  /** Resets every connection, and each new one at once, until `heal()`: the server's host is there, the server is not. */
  refuse: () => void
  /** Ends `block` and `refuse`. */
  heal: () => void
}

export interface ProxyOptions {
  /** The server's. */
  port: number
  /** The server's; 127.0.0.1. */
  host?: string
  delayMs?: number
  signal?: AbortSignal | undefined
}

/** How many bytes may be under way in each direction of a connection before the sender has to wait. */
const windowBytes = 4 << 20

/** Starts a proxy on a free loopback port; disposing of it resets its connections and closes the port. */
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
      // Before the pipelines hear of it: they would end the other side as if nothing had happened.
      socket.on('error', resetBoth)
    }
    try {
      // Loopback connects at once; over a real link that takes a round trip.
      await delay(2 * link.delayMs)
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
      // Each has two sides.
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
 * Closes a socket at once, with a reset if it has not been ended. Node's `resetAndDestroy` ends the stream first and resets
 * it once all is written, which a silent peer prevents for ever; and when the socket is destroyed meanwhile, as `pipeline`
 * does, the reset is refused, the socket never closed, and the process cannot exit. So only its mark is set here.
 */
function reset(socket: Socket) {
  if (!socket.connecting && !socket.writableEnded) Object.assign(socket, { resetAndClosing: true })
  socket.destroy()
}

/** The state that all connections share. */
class Link {
  delayMs: number
  refusing = false
  cutAt: { direction: 'up' | 'down'; bytes: number } | undefined
  readonly bytes = { up: 0, down: 0 }
  /** Fulfilled when the link carries again; undefined while it does. */
  #blocked: PromiseWithResolvers<void> | undefined

  constructor(delayMs: number) {
    this.delayMs = delayMs
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

/** One direction of one connection: hands on each chunk when its time has come, in order. */
class OneWay extends Transform {
  readonly #link: Link
  readonly #direction: 'up' | 'down'
  readonly #reset: () => void
  readonly #underWay: { chunk: Buffer; dueMs: number }[] = []
  #bytesUnderWay = 0
  #carried = 0
  /** Lets the sender go on when there is room again. */
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
      // Again, as a timer may be a little early: nothing arrives before its time.
      for (let early = next.dueMs - performance.now(); early > 0; early = next.dueMs - performance.now()) {
        await delay(Math.ceil(early))
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
    // The end of the stream travels as its last byte did, and waits for the link as that would.
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

/**
 * Carries capnweb's messages over a WebSocket of `ws`, counts them, and says why a connection ended.
 *
 * Messages of one turn of the event loop travel together, one on each line, as in capnweb's own batches over HTTP: a
 * call and the request for its result, a whole chain of calls, the answers to calls that came together. Alone, each
 * message would cost a frame and a system call.
 */
import type { RpcTransport } from 'capnweb'
import type { WebSocket } from 'ws'

/** The connection is gone. Nobody can say whether a call that was under way was done. */
export class DisconnectedError extends Error {
  override name = 'DisconnectedError'
}

export interface Traffic {
  /** Messages of the protocol: a call is one, the request for its result another, the result a third. */
  sent: number
  received: number
}

/** The most characters that travel together; a longer message travels alone. */
const batchLength = 64 << 10
/** What WebSocket has room for when a connection ends. */
const longestReasonBytes = 123
/** How long the other end has to confirm that the connection ends. */
const closeTimeoutMs = 1_000

export class WebSocketTransport implements RpcTransport {
  readonly traffic: Traffic = { sent: 0, received: 0 }
  /** Fulfilled, with the reason, when the connection has ended. */
  readonly closed: Promise<DisconnectedError>
  readonly #ws: WebSocket
  readonly #queue: string[] = []
  #waiting: PromiseWithResolvers<string> | undefined
  #ended: DisconnectedError | undefined
  #batch: string[] = []
  #batchLength = 0

  /** @param peer the other end, for error messages */
  constructor(ws: WebSocket, peer: string) {
    this.#ws = ws
    ws.on('message', (data: Buffer) => {
      const messages = data.toString().split('\n')
      this.traffic.received += messages.length
      for (const message of messages) this.#queue.push(message)
      const next = this.#waiting && this.#queue.shift()
      if (next === undefined) return
      this.#waiting?.resolve(next)
      this.#waiting = undefined
    })
    // The close that follows has a code and a reason, but not this one: it is our own end that refuses the message.
    let isTooLarge = false
    ws.on('error', (error: NodeJS.ErrnoException) => {
      isTooLarge ||= error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    })
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        const why = isTooLarge ? 'sent a message larger than this end accepts' : describeClose(code, reason.toString())
        this.#ended = new DisconnectedError(`${peer} ${why}`)
        this.#waiting?.reject(this.#ended)
        resolve(this.#ended)
      })
    })
  }

  send(message: string) {
    this.traffic.sent++
    if (this.#batchLength + message.length > batchLength) this.#flush()
    if (this.#batch.length === 0) setImmediate(() => this.#flush())
    this.#batch.push(message)
    this.#batchLength += message.length
  }

  #flush() {
    if (this.#batch.length > 0) this.#ws.send(this.#batch.join('\n'))
    this.#batch = []
    this.#batchLength = 0
  }

  async receive(): Promise<string> {
    const message = this.#queue.shift()
    if (message !== undefined) return message
    if (this.#ended) throw this.#ended
    this.#waiting = Promise.withResolvers()
    return await this.#waiting.promise
  }

  /** capnweb calls this after it has sent the other end an "abort" message with the reason, if there is one. */
  abort() {
    this.close()
  }

  /**
   * @param code 1000 for a normal end, 1001 when the server stops
   * @param reason for other codes; cut to what fits
   */
  close(code = 1000, reason = '') {
    this.#flush()
    // Whole characters only.
    const bytes = Buffer.alloc(longestReasonBytes)
    const { written } = new TextEncoder().encodeInto(reason, bytes)
    this.#ws.close(code, bytes.subarray(0, written))
    // The other end may be there but not answer.
    setTimeout(() => this.#ws.terminate(), closeTimeoutMs).unref()
  }
}

function describeClose(code: number, reason: string): string {
  switch (code) {
    case 1000:
    case 1005:
      return 'ended the connection'
    case 1001:
      return 'has stopped'
    case 1006:
      return 'is gone: the connection was cut'
    case 1009:
      return 'ended the connection: a message was larger than it accepts'
    default:
      return `ended the connection: ${reason || `code ${code}`}`
  }
}

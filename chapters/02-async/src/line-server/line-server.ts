/**
 * A server for lines over TCP, with three ways to handle requests. A request is a word; the answer is the word and how often
 * Moby-Dick has it. To look that up takes a while, as if the index lay on a slow disk: this wait is simulated. `ping` is
 * answered with `pong` at once.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { mobyDick } from '@repo/common/workloads/texts'
import { LineSplitter } from '../grep/lines.ts'

type Handler = (word: string, reply: (answer: string) => void) => void

/** The ways by their names, each from the look-up and the time it takes. */
export const handlers = {
  /** A request waits until the one before it has been answered, whosever it was. */
  'one at a time': (lookUp, latencyMs) => {
    let previous = Promise.resolve()
    return (word, reply) => {
      previous = previous.then(() => delay(latencyMs)).then(() => reply(lookUp(word)))
    }
  },

  /** The thread itself waits, as a blocking read does: meanwhile it handles nothing, not even a new connection. */
  'one blocked thread': (lookUp, latencyMs) => {
    const never = new Int32Array(new SharedArrayBuffer(4))
    return (word, reply) => {
      Atomics.wait(never, 0, 0, latencyMs)
      reply(lookUp(word))
    }
  },

  /** All requests wait together; each is answered when its own time is over. */
  asynchronous: (lookUp, latencyMs) => async (word, reply) => {
    await delay(latencyMs)
    reply(lookUp(word))
  },
} satisfies Record<string, (lookUp: (word: string) => string, latencyMs: number) => Handler>

export type HandlerName = keyof typeof handlers

/** How often each word occurs in Moby-Dick, in any case. */
export function wordIndex(): Map<string, number> {
  const index = new Map<string, number>()
  for (const { text } of mobyDick()) {
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) index.set(word, (index.get(word) ?? 0) + 1)
  }
  return index
}

/** A server that does not listen yet. A connection that breaks is forgotten; the others go on. */
export function lineServer(name: HandlerName, index: Map<string, number>, latencyMs: number): Server {
  const handle = handlers[name]((word) => `${word} ${index.get(word) ?? 0}`, latencyMs)
  return createServer((socket: Socket) => {
    const splitter = new LineSplitter()
    const reply = (answer: string) => void (socket.writable && socket.write(`${answer}\n`))
    socket.setNoDelay()
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (piece: string) => {
      for (const line of splitter.push(piece)) {
        if (line === 'ping') reply('pong')
        else handle(line, reply)
      }
    })
  })
}

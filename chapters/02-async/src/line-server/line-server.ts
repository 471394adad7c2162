/**
 * A server for lines over TCP. A request is a word; the answer is the word and how often it occurs in Moby-Dick. The
 * handler decides how the server waits while it looks a word up. `ping` is answered with `pong` at once.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { mobyDick } from '@repo/common/workloads/texts'
import { LineSplitter } from '../grep/lines.ts'

/** Answers a word by calling `reply`, at once or later. */
export type Handler = (word: string, reply: (answer: string) => void) => void

/** Makes a server's handler from the look-up and the milliseconds that it takes. */
export type MakeHandler = (lookUp: (word: string) => string, latencyMs: number) => Handler

/** How often each word occurs in Moby-Dick, in any case. */
export function wordIndex(): Map<string, number> {
  const index = new Map<string, number>()
  for (const { text } of mobyDick()) {
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) index.set(word, (index.get(word) ?? 0) + 1)
  }
  return index
}

/** A server that is not listening yet. It drops a connection that breaks; the others go on. */
export function lineServer(makeHandler: MakeHandler, index: Map<string, number>, latencyMs: number): Server {
  const handle = makeHandler((word) => `${word} ${index.get(word) ?? 0}`, latencyMs)
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

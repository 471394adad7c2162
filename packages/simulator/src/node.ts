/**
 * Runs the handlers of one node for real: a message is a UDP datagram on loopback, what is saved is on the disk before the
 * handler continues, and time is the machine's. The handlers are the same that run in the simulator.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { after as afterMs, type Timer } from '@repo/common/async/timer'
import { errorOf } from '@repo/common/output/errors'
import { openJournal } from './journal.ts'
import type { Effect, Handler, NodeWorld, Receive } from './simulator.ts'

export interface NodeOptions<Message> {
  name: string
  /** The ports of the nodes that it sends to, by name. They may change; what is sent to others is lost. */
  ports: ReadonlyMap<string, number>
  /** Where it saves. A node without one, such as a client, must not save. */
  folder?: string | undefined
  /** Called when its socket is open. The node begins when this has returned. */
  onPort?: (port: number) => void | Promise<void>
  begin: (world: NodeWorld<Message>, disk: ReadonlyMap<string, unknown>) => Receive<string, Message>
}

/** A running node; disposing of it closes its socket. */
export interface Node extends AsyncDisposable {
  /** How fast its timers run: with 2 they fire in half the time. */
  pace: number
  /** Resolves with the first error of a handler, such as a disk that is full: the node must not go on. */
  failed: Promise<Error>
}

/**
 * Starts a node, with what it saved before.
 *
 * @throws an Error of one line if its journal cannot be opened
 */
export async function startNode<Message>(options: NodeOptions<Message>): Promise<Node> {
  const { name, ports, folder, onPort, begin } = options
  const journal = folder === undefined ? undefined : await openJournal(join(folder, 'journal'))
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const timers = new Set<Timer>()
  const waiting = new Set<{ until: () => boolean; go: () => void }>()
  const failure = Promise.withResolvers<Error>()
  let isClosed = false
  /** Runs a handler to its end, with nobody waiting for it. */
  const start = (handler: Handler<string, Message>) =>
    void run(handler).catch((error: unknown) => failure.resolve(errorOf(error)))

  const after = (ms: number, run: () => void) => {
    const timer = afterMs(Math.max(0, ms / node.pace), () => {
      timers.delete(timer)
      run()
    })
    timers.add(timer)
    return timer
  }

  /** Something has happened: handlers whose condition now holds continue. */
  const wake = () => {
    for (const each of waiting) if (each.until()) each.go()
  }

  async function perform(effect: Effect<string, Message>): Promise<void> {
    switch (effect.do) {
      case 'send': {
        const port = ports.get(effect.to)
        // To nobody, or into a network that is gone: a datagram may be lost anyway.
        if (port !== undefined && !isClosed)
          socket.send(JSON.stringify({ from: name, message: effect.message }), port, '127.0.0.1', () => {})
        return
      }
      case 'wait':
        return await new Promise((resolve) => {
          const go = () => {
            timer.clear()
            timers.delete(timer)
            waiting.delete(entry)
            resolve()
          }
          const timer = after(effect.ms, go)
          const entry = { until: effect.until ?? (() => false), go }
          waiting.add(entry)
          if (entry.until()) go()
        })
      case 'save':
        if (!journal) throw new Error(`${name} has no disk`)
        return await journal.save(effect.key, effect.value)
      default:
        throw new Error(`${name}: received the effect "${effect.do}"; accepts send, wait, save`)
    }
  }

  async function run(handler: Handler<string, Message>) {
    for (let step = handler.next(); !step.done && !isClosed; step = handler.next(undefined as Message)) {
      // A datagram is sent at once: another handler may run only where this one waits.
      if (step.value.do === 'send') void perform(step.value)
      else await perform(step.value)
    }
    wake()
  }

  const node: Node = {
    pace: 1,
    failed: failure.promise,
    async [Symbol.asyncDispose]() {
      isClosed = true
      for (const timer of timers) timer.clear()
      socket.close()
      await journal?.[Symbol.asyncDispose]()
    },
  }
  await onPort?.(socket.address().port)
  const world: NodeWorld<Message> = {
    get now() {
      return performance.timeOrigin + performance.now()
    },
    random: Math.random,
    run: (_, handler) => start(handler),
    later: (_, ms, handler) =>
      void after(ms, () => {
        const begins = handler()
        if (begins) start(begins)
      }),
  }
  const receive = begin(world, new Map(journal?.values))
  socket.on('message', (bytes) => {
    let letter: { from: string; message: Message }
    try {
      letter = JSON.parse(String(bytes))
    } catch {
      return
    }
    const received = receive(letter.message, letter.from)
    if (typeof received === 'object' && received !== null && 'next' in received)
      start(received as Handler<string, Message>)
    wake()
  })
  return node
}

/**
 * A fast producer and a slow consumer, through Node streams, web streams and async iterators, each with and without
 * back-pressure. What is on its way between the two lies in memory.
 */
import { EventEmitter, on, once } from 'node:events'
import { Writable } from 'node:stream'
import { WritableStream } from 'node:stream/web'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'

export const chunkBytes = 256 * 1024

export interface Flow {
  /** How many chunks of `chunkBytes` to send. */
  chunks: number
  /** How long the consumer takes for each. */
  consumeMs: number
  /** Told of each chunk as it is made and as it is consumed. */
  onProduced: () => void
  onConsumed: (chunk: Buffer) => void
}

/** Makes a chunk; its bytes are written, so that they take memory. */
const produce = (flow: Flow) => {
  flow.onProduced()
  return Buffer.alloc(chunkBytes, 'x')
}

async function consume(flow: Flow, chunk: Buffer): Promise<void> {
  await delay(flow.consumeMs)
  flow.onConsumed(chunk)
}

/** The ways by their names; each is fulfilled when all chunks have been consumed. */
export const flows = {
  'Node stream, without': async (flow) => {
    const sink = nodeSink(flow)
    for (let sent = 0; sent < flow.chunks; sent++) {
      // What write() returns says whether there is still room. Nobody looks at it.
      sink.write(produce(flow))
      await setImmediate()
    }
    sink.end()
    await once(sink, 'finish')
  },

  'Node stream, with': async (flow) => {
    const sink = nodeSink(flow)
    for (let sent = 0; sent < flow.chunks; sent++) {
      if (!sink.write(produce(flow))) await once(sink, 'drain')
    }
    sink.end()
    await once(sink, 'finish')
  },

  'web stream, without': async (flow) => {
    const writer = webSink(flow).getWriter()
    for (let sent = 0; sent < flow.chunks; sent++) {
      // Fulfilled when the chunk has been consumed; nobody waits for that.
      void writer.write(produce(flow))
      await setImmediate()
    }
    await writer.close()
  },

  'web stream, with': async (flow) => {
    const writer = webSink(flow).getWriter()
    for (let sent = 0; sent < flow.chunks; sent++) {
      await writer.ready
      void writer.write(produce(flow))
    }
    await writer.close()
  },

  'async iterator, without': async (flow) => {
    const source = new EventEmitter()
    // `on` makes an async iterator of events. Events do not wait, so it has to keep what nobody has taken yet.
    const events = on(source, 'chunk', { close: ['end'] }) as AsyncIterable<[Buffer]>
    const emitting = (async () => {
      for (let sent = 0; sent < flow.chunks; sent++) {
        source.emit('chunk', produce(flow))
        await setImmediate()
      }
      source.emit('end')
    })()
    for await (const [chunk] of events) await consume(flow, chunk)
    await emitting
  },

  'async iterator, with': async (flow) => {
    async function* source() {
      for (let sent = 0; sent < flow.chunks; sent++) yield produce(flow)
    }
    // A generator makes the next chunk when it is asked for it.
    for await (const chunk of source()) await consume(flow, chunk)
  },
} satisfies Record<string, (flow: Flow) => Promise<void>>

export type FlowName = keyof typeof flows

function nodeSink(flow: Flow): Writable {
  return new Writable({
    highWaterMark: 4 * chunkBytes,
    write: (chunk: Buffer, _, done) => void consume(flow, chunk).then(() => done(), done),
  })
}

function webSink(flow: Flow): WritableStream<Buffer> {
  return new WritableStream(
    { write: (chunk: Buffer) => consume(flow, chunk) },
    { highWaterMark: 4 * chunkBytes, size: (chunk: Buffer) => chunk.length },
  )
}

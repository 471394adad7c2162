/**
 * backpressure: a fast producer, a slow consumer, and where everything in between piles up
 *
 *     pnpm --filter 02-async start backpressure
 *     pnpm --filter 02-async start backpressure --megabytes 300 --consume 4
 *
 * The same data goes through Node streams, web streams and async iterators, without and with back-pressure. Each run is
 * a process of its own. The amount of data is fixed, so that the runs without back-pressure end before memory runs out.
 *
 * Look for: the same time each way, because the consumer sets the pace; and the memory.
 */
import { EventEmitter, on, once } from 'node:events'
import { freemem } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { largest } from '@repo/common/extremes'
import { linePlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, milliseconds, table } from '@repo/common/output/terminal'
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import type { FlowReport } from '../src/flow/flow.program.ts'
import { chunkBytes, consume, type Flow, nodeSink, produce, type Send, webSink } from '../src/flow/flow.ts'

/** Three ways to send, each without and with waiting for the consumer. */
export const sends = {
  // #region node-stream
  async 'Node stream'(flow, waits) {
    const sink = nodeSink(flow)
    for (let sent = 0; sent < flow.chunks; sent++) {
      // write() returns whether there is room for more. Without back-pressure, the producer does not look.
      const hasRoom = sink.write(produce(flow))
      if (!waits) await setImmediate()
      else if (!hasRoom) await once(sink, 'drain')
    }
    sink.end()
    await once(sink, 'finish')
  },
  // #endregion node-stream
  // #region web-stream
  async 'web stream'(flow, waits) {
    const writer = webSink(flow).getWriter()
    for (let sent = 0; sent < flow.chunks; sent++) {
      // `ready` is fulfilled as soon as there is room.
      await (waits ? writer.ready : setImmediate())
      void writer.write(produce(flow))
    }
    await writer.close()
  },
  // #endregion web-stream
  async 'async iterator'(flow, waits) {
    for await (const chunk of waits ? generated(flow) : emitted(flow)) await consume(flow, chunk)
  },
} satisfies Record<string, Send>

// #region iterators
/** A generator makes the next chunk only when asked for it. */
async function* generated(flow: Flow) {
  for (let sent = 0; sent < flow.chunks; sent++) yield produce(flow)
}

/** Events do not wait: `on` makes an async iterator of them, and keeps those that have not been taken yet. */
async function* emitted(flow: Flow) {
  const source = new EventEmitter()
  const events = on(source, 'chunk', { close: ['end'] }) as AsyncIterable<[Buffer]>
  void (async () => {
    for (let sent = 0; sent < flow.chunks; sent++) {
      source.emit('chunk', produce(flow))
      await setImmediate()
    }
    source.emit('end')
  })()
  for await (const [chunk] of events) yield chunk
}
// #endregion iterators

export default example(import.meta, {
  options: {
    megabytes: wholeNumber(1, 4_000).default(150).describe('how much is sent in each run'),
    consume: number(0.1, 1_000).default(3).describe('ms that the consumer takes for a chunk of 256 KiB'),
  },
  quick: { megabytes: 60, consume: 2 },

  async run({ megabytes, consume: consumeMs }, { signal, print, picture }) {
    const most = Math.floor(freemem() / 2e6)
    if (megabytes > most) {
      throw new UsageError('--megabytes', megabytes, `up to ${most} here: half of the memory that is free`)
    }
    const chunks = Math.ceil((megabytes * 1e6) / chunkBytes)
    const size = chunks * chunkBytes
    print(`Sending ${bytes(size)} to a consumer that takes ${milliseconds(consumeMs)} for ${bytes(chunkBytes)} …`)

    // Each run has a process of its own, which loads this file for `sends` and samples its memory.
    const runs = []
    using bar = progress('sending', 6)
    for (const [way, waits] of Object.keys(sends).flatMap((way) => [[way, false] as const, [way, true] as const])) {
      const name = `${way}, ${waits ? 'with' : 'without'}`
      bar.update(runs.length, `sending through: ${name} back-pressure`)
      const file = new URL('../src/flow/flow.program.ts', import.meta.url)
      await using program = await startProgram(file, { args: [import.meta.url], signal })
      const report = await ask<FlowReport>(program, { way, waits, chunks, consumeMs }, signal)
      if (report.consumedBytes !== size) throw new Error(`${name}: something was lost`)
      runs.push({ name, ...report, peakRssBytes: largest(report.samples.map(({ rssBytes }) => rssBytes)) })
    }

    const svg = linePlot({
      title: 'A fast producer and a slow consumer: what waits in memory',
      subtitle: `${bytes(size)} sent; dashed with back-pressure`,
      x: { label: 'time in ms' },
      y: { label: 'held in buffers, in MB' },
      series: runs.map(({ name, samples }, at) => ({
        name,
        color: palette[Math.floor(at / 2)],
        style: name.endsWith('without') ? 'line' : 'dashed',
        points: samples.map(({ ms, bufferBytes }) => ({ x: ms, y: bufferBytes / 1e6 })),
      })),
      width: 900,
    })
    const result = { bytes: size, chunkBytes, consumeMs, runs, picture: await picture('backpressure.svg', svg) }
    print(
      '',
      table(
        ['back-pressure', 'time', 'most waiting at once', 'process grew by'],
        runs.map(({ name, ms, mostWaitingBytes, peakRssBytes }) => [
          name,
          milliseconds(ms),
          bytes(mostWaitingBytes),
          bytes(peakRssBytes),
        ]),
      ),
      '',
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ runs }) => {
    const most = (end: string) =>
      Math.max(...runs.filter(({ name }) => name.endsWith(end)).map((run) => run.peakRssBytes))
    return `the process grew by up to ${bytes(most('without'))} without back-pressure, ${bytes(most('with'))} with`
  },
})

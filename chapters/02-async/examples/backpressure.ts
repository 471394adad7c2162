/**
 * backpressure: a fast producer, a slow consumer, and where everything in between piles up
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 02-async start backpressure
 *     pnpm --filter 02-async start backpressure --megabytes 300 --consume 4
 *
 * The same data goes through Node streams, web streams and async iterators, without and with back-pressure. Each run is a
 * process of its own. How much is sent is fixed, so that the runs without back-pressure end before the memory does.
 *
 * Look for: the same time each way, for the consumer sets the pace; and the memory.
 */
import { once } from 'node:events'
import { freemem } from 'node:os'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { linePlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, milliseconds, table } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import type { FlowReport } from '../src/flow/flow.program.ts'
import { chunkBytes, type FlowName, flows } from '../src/flow/flow.ts'

export default example(import.meta, {
  options: {
    megabytes: wholeNumber(1, 4_000).default(150).describe('how much is sent in each run'),
    consume: number(0.1, 1_000).default(3).describe('ms that the consumer takes for a chunk of 256 KiB'),
  },
  quick: { megabytes: 60, consume: 2 },

  async run({ megabytes, consume }, { signal, print, picture }) {
    const most = Math.floor(freemem() / 2e6)
    if (megabytes > most) {
      throw new UsageError('--megabytes', megabytes, `up to ${most} here: half of the memory that is free`)
    }
    const chunks = Math.ceil((megabytes * 1e6) / chunkBytes)
    const names = Object.keys(flows) as FlowName[]
    print(
      `Sending ${bytes(chunks * chunkBytes)} to a consumer that takes ${milliseconds(consume)} for ${bytes(chunkBytes)} …`,
    )

    using bar = progress('sending', names.length)
    const runs = []
    for (const [at, name] of names.entries()) {
      bar.update(at, `sending through: ${name} back-pressure`)
      await using program = await startProgram(new URL('../src/flow/flow.program.ts', import.meta.url), { signal })
      program.process.send({ name, chunks, consumeMs: consume })
      const [report] = (await Promise.race([
        once(program.process, 'message', { signal }),
        program.exited.then(({ code, signal: endedBy }) => {
          throw new Error(`the process of "${name}" ended with ${endedBy ?? `exit code ${code}`}`)
        }),
      ])) as [FlowReport]
      if (report.consumedBytes !== chunks * chunkBytes) throw new Error(`${name}: something was lost`)
      const peak = (of: 'waitingBytes' | 'bufferBytes' | 'rssBytes') =>
        Math.max(...report.samples.map((sample) => sample[of]))
      runs.push({ name, ...report, mostWaitingBytes: peak('waitingBytes'), peakRssBytes: peak('rssBytes') })
    }

    const svg = linePlot({
      title: 'A fast producer and a slow consumer: what waits in memory',
      subtitle: `${bytes(chunks * chunkBytes)} sent; dashed with back-pressure`,
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
    const result = { bytes: chunks * chunkBytes, chunkBytes, runs, picture: await picture('backpressure.svg', svg) }
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

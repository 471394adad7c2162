/** One flow in a process of its own, which reports its memory as it goes. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ready } from '@repo/common/process/ready'
import { chunkBytes, type FlowName, flows } from './flow.ts'

export interface Sample {
  /** Since the flow began. */
  ms: number
  /** Made and not consumed yet. */
  waitingBytes: number
  /** Held by the program's buffers, after collecting garbage. */
  bufferBytes: number
  /** Resident memory of the process beyond what it had when the flow began. What was freed need not leave it at once. */
  rssBytes: number
}

export interface FlowReport {
  ms: number
  consumedBytes: number
  samples: Sample[]
}

const everyMs = 25

/** Collects garbage at once: buffers that nobody holds any more would otherwise count as memory for a while. */
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

process.once('message', async ({ name, chunks, consumeMs }: { name: FlowName; chunks: number; consumeMs: number }) => {
  const samples: Sample[] = []
  let produced = 0
  let consumed = 0
  let consumedBytes = 0
  const start = performance.now()
  collectGarbage()
  const before = process.memoryUsage.rss()
  const sample = () => {
    collectGarbage()
    const memory = process.memoryUsage()
    samples.push({
      ms: performance.now() - start,
      waitingBytes: (produced - consumed) * chunkBytes,
      bufferBytes: memory.arrayBuffers,
      rssBytes: memory.rss - before,
    })
  }
  const timer = setInterval(sample, everyMs)
  sample()
  await flows[name]({
    chunks,
    consumeMs,
    onProduced: () => void produced++,
    onConsumed: (chunk) => {
      consumed++
      consumedBytes += chunk.length
    },
  })
  clearInterval(timer)
  sample()
  process.send?.({ ms: performance.now() - start, consumedBytes, samples } satisfies FlowReport)
})
process.on('disconnect', () => process.exit())
ready()

/**
 * A process for one flow; it samples its own memory meanwhile. Its argument is the URL of a module that exports
 * `sends`, the ways to send; a message says which way to measure.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ready } from '@repo/common/process/ready'
import { chunkBytes, type Flow, type Send } from './flow.ts'

export interface FlowTask extends Pick<Flow, 'chunks' | 'consumeMs'> {
  way: string
  waits: boolean
}

export interface Sample {
  /** Since the flow began. */
  ms: number
  /** Held by the program's buffers, after collecting garbage. */
  bufferBytes: number
  /** Resident memory that the process has gained since the flow began. Freed memory need not leave it at once. */
  rssBytes: number
}

export interface FlowReport {
  ms: number
  consumedBytes: number
  /** The most that had been made and not consumed yet, at any time. */
  mostWaitingBytes: number
  samples: Sample[]
}

const everyMs = 25

// Without collecting garbage, buffers that nothing holds any more would still count as memory for a while.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const { sends } = (await import(process.argv[2] ?? '')) as { sends: Record<string, Send> }

process.once('message', async ({ way, waits, chunks, consumeMs }: FlowTask) => {
  const send = sends[way]
  if (!send) throw new Error(`${process.argv[2]} has no way to send that is called ${way}`)
  const samples: Sample[] = []
  let produced = 0
  let consumed = 0
  let consumedBytes = 0
  let mostWaiting = 0
  const start = performance.now()
  collectGarbage()
  const before = process.memoryUsage.rss()
  const sample = () => {
    collectGarbage()
    const memory = process.memoryUsage()
    samples.push({
      ms: performance.now() - start,
      bufferBytes: memory.arrayBuffers,
      rssBytes: memory.rss - before,
    })
  }
  const timer = setInterval(sample, everyMs)
  sample()
  const flow: Flow = {
    chunks,
    consumeMs,
    onProduced: () => {
      produced++
      mostWaiting = Math.max(mostWaiting, produced - consumed)
    },
    onConsumed: (chunk) => {
      consumed++
      consumedBytes += chunk.length
    },
  }
  await send(flow, waits)
  clearInterval(timer)
  sample()
  const mostWaitingBytes = mostWaiting * chunkBytes
  process.send?.({ ms: performance.now() - start, consumedBytes, mostWaitingBytes, samples } satisfies FlowReport)
})
process.on('disconnect', () => process.exit())
ready()

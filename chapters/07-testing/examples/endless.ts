/**
 * endless: a job that puts its successor into the queue, as one endless trace of parents, and as linked traces
 *
 *     pnpm --filter 07-testing start endless
 *     pnpm --filter 07-testing start endless --rounds 2000
 *
 * A standing order is carried out again and again: each round ends by sending the job of the next one. The same rounds
 * are traced twice, with the span of a job as the child of the span that sent it, and with a link to that span.
 *
 * Look for: which of the numbers grow with the rounds.
 */
import { SpanKind, trace } from '@opentelemetry/api'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { largest } from '@repo/common/extremes'
import { progress } from '@repo/common/output/progress'
import { bytes, count, table } from '@repo/common/output/terminal'
import { startRedis } from '@repo/common/servers/redis'
import { Queue, Worker } from 'bullmq'
import { connectionTo } from '../src/pipeline/queues.ts'
import { type Span, startCollector } from '../src/traces/collector.ts'
import { waterfall } from '../src/traces/waterfall.ts'

const schools = ['parent', 'link'] as const

export default example(import.meta, {
  options: {
    rounds: wholeNumber(1, 2_000).default(1_000).describe('in the longest chain; the others have 1, 10, 100 …'),
  },
  quick: { rounds: 30 },

  async run({ rounds }, { signal, print }) {
    const lengths = [1, 10, 100, 1_000].filter((length) => length < rounds).concat(rounds)
    print(`A standing order of up to ${count(rounds)} rounds, each of which sends the next …`)
    await using redis = await startRedis({ signal })
    await using collector = await startCollector()
    // OpenTelemetry takes a while to load.
    const [{ startTracing }, { messagingTelemetry }] = await Promise.all([
      import('../src/watch/traces.ts'),
      import('../src/watch/messaging.ts'),
    ])
    const tracing = startTracing('standing orders', { share: 1 }, collector.endpoint)
    using bar = progress('rounds', 2 * lengths.reduce((sum, length) => sum + length, 0))
    let done = 0

    for (const length of lengths)
      for (const school of schools) {
        // The queue's name tells the spans of one chain from those of another.
        const name = `${school}-${length}`
        const connection = connectionTo(redis.url)
        const telemetry = messagingTelemetry({ parent: school === 'parent' }, redis.url)
        const ended = Promise.withResolvers<void>()
        const queue = new Queue<number>(name, { connection, telemetry })
        // Each round sends the next one: what a job sends has the job's span for a parent.
        // #region round
        const carryOut = async ({ data: round }: { data: number }) => {
          bar.update(++done)
          if (round < length) await queue.add('round', round + 1, { removeOnComplete: true })
        }
        // #endregion round
        const worker = new Worker<number>(name, carryOut, { connection, telemetry })
        worker.on('error', ended.reject)
        worker.on('completed', ({ data: round }) => round === length && ended.resolve())
        const stop = () => ended.reject(signal.reason)
        signal.addEventListener('abort', stop, { once: true })
        try {
          await trace
            .getTracer('client')
            .startActiveSpan('place standing order', { kind: SpanKind.CLIENT }, (span) =>
              queue.add('round', 1, { removeOnComplete: true }).finally(() => span.end()),
            )
          await ended.promise
        } finally {
          signal.removeEventListener('abort', stop)
          await worker.close()
          await queue.obliterate({ force: true })
          await queue.close()
        }
      }
    // The last spans are sent here.
    await tracing.close()

    const chains = lengths.map((length) => ({
      rounds: length,
      parent: sizeOf(collector.spans, `parent-${length}`),
      link: sizeOf(collector.spans, `link-${length}`),
    }))
    const cells = ({ traces, spans, deepest, size }: Size) => [count(traces), count(spans), count(deepest), bytes(size)]
    for (const [school, title] of [
      ['parent', 'with parents'],
      ['link', 'with links'],
    ] as const)
      print(
        '',
        table(
          [`rounds ${title}`, 'traces', 'spans of the largest', 'its depth', 'its size'],
          chains.map((chain) => [count(chain.rounds), ...cells(chain[school])]),
        ),
      )
    return { rounds, chains }
  },

  figure: ({ rounds, chains }) => {
    const last = chains.at(-1)
    return `${count(rounds)} rounds: largest trace ${last?.parent.spans} spans with parents, ${last?.link.spans} with links`
  },
})

interface Size {
  traces: number
  /** Of the largest trace: its spans, the depth of its deepest span, and its bytes as JSON. */
  spans: number
  deepest: number
  size: number
}

/** Returns how large the traces of a queue are. */
function sizeOf(all: readonly Span[], queue: string): Size {
  const ids = new Set(
    all.flatMap(({ traceId, attributes }) => (attributes['messaging.destination.name'] === queue ? traceId : [])),
  )
  const traces = [...Map.groupBy(all, ({ traceId }) => traceId)].flatMap(([id, spans]) => (ids.has(id) ? [spans] : []))
  return {
    traces: traces.length,
    spans: largest(traces.map(({ length }) => length)),
    deepest: largest(traces.flatMap((spans) => waterfall(spans).map(({ depth }) => depth))),
    size: largest(traces.map((spans) => JSON.stringify(spans).length)),
  }
}

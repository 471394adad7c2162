/**
 * trace: the way of one order through HTTP, queues, workers and Redis as linked traces, drawn as a waterfall
 *
 *     pnpm --filter 07-testing start trace
 *     pnpm --filter 07-testing start trace --order 4
 *     pnpm --filter 07-testing start trace --parent
 *     OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 pnpm --filter 07-testing start trace
 *
 * Each process sends its spans over OTLP to a small collector that the example starts. With
 * OTEL_EXPORTER_OTLP_ENDPOINT, they are forwarded to your own collector, such as Jaeger, Tempo or a vendor's.
 *
 * Look for: the spans of several processes together, although none knows the others; where the time goes; and how much
 * of it is waiting.
 */
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { flag, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { shownUrl } from '@repo/common/output/secrets'
import { bold, count, howMany, milliseconds, percent, red, table } from '@repo/common/output/terminal'
import { ordersOf, stockFor } from '../src/pipeline/load.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'
import { jobIdOf } from '../src/pipeline/queues.ts'
import { startCollector, upstreamOf } from '../src/traces/collector.ts'
import {
  busyMs,
  drawWaterfall,
  extent,
  linkedSpans,
  waterfall,
  waterfallText,
  wholeness,
} from '../src/traces/waterfall.ts'
import { observed } from '../src/watch/observe.ts'

const width = 44

export default example(import.meta, {
  options: {
    orders: wholeNumber(1, 2_000).default(40).describe('how many are placed, and traced'),
    order: wholeNumber(1, 2_000).default(1).describe('which one is drawn'),
    seed: seedNumber().default(1).describe('for the orders'),
    parent: flag().describe("a job's span is a child of the one that sent it, in the same trace"),
  },
  quick: { orders: 10 },

  async run({ orders: wanted, order: drawn, seed, parent }, { signal, print, picture }) {
    if (drawn > wanted) throw new UsageError('--order', drawn, `a whole number up to --orders, ${wanted}`)
    const forwardTo = upstreamOf(process.env)
    print(`${howMany(wanted, 'order')}, each traced …`)
    const orders = ordersOf(seed, wanted)
    const chosen = orders[drawn - 1]
    if (!chosen) throw new Error(`there is no order ${drawn}`)

    // All processes send their spans to this collector, including this one, the client.
    await using collector = await startCollector({ forwardTo })
    // OpenTelemetry takes a while to load.
    const { startTracing, tierKey } = await import('../src/watch/traces.ts')
    const { placeTraced } = await import('../src/watch/client.ts')
    const tracing = startTracing('client', { share: 1 }, collector.endpoint)
    const traceOf = new Map<string, string>()
    let inRedis: string | undefined
    {
      // Tracing is switched on for every order.
      await using pipeline = await startPipeline({
        stock: stockFor(orders),
        ...observed({ traces: { share: 1, parent } }, collector.env),
        signal,
      })
      for (const [at, order] of orders.entries()) {
        // Each order begins a trace. Its id and that of the client's span travel with the request, in the header
        // traceparent. What else the next processes are to know of the client travels beside it, in the header baggage.
        const tier = at % 4 === 0 ? 'gold' : 'standard'
        traceOf.set(order.id, await placeTraced(order, { url: pipeline.url, tier, signal }))
      }
      await pipeline.drained({ signal })
      const job = await pipeline.queues.payment.getJob(jobIdOf(chosen.id))
      inRedis = job?.opts.telemetry?.metadata
    }
    // Processes send their last spans when they exit.
    await tracing.close()
    const { spans } = collector
    const own = (id: string) => linkedSpans(spans, traceOf.get(id) ?? '')
    await until(() => own(chosen.id).length > 0, { signal, what: `the spans of ${chosen.id}` })

    // Each span is below its parent, in whichever process that was.
    const rows = waterfall(own(chosen.id))
    const whole = extent(own(chosen.id))
    const lasted = whole.endMs - whole.startMs
    const { traces } = wholeness(own(chosen.id))
    const parts = traces === 1 ? 'one trace' : `${traces} linked traces`
    print(
      '',
      bold(`${chosen.id}: ${rows.length} spans in ${parts}, ${milliseconds(lasted)}`),
      waterfallText(rows, width).join('\n'),
      '',
    )
    const busy = busyMs(own(chosen.id).filter(({ process }) => process !== 'client'))
    const working = [...busy.values()].reduce((sum, ms) => sum + ms, 0)
    print(
      table(
        ['process', 'at work', 'of the whole'],
        [...busy].map(([name, ms]) => [name, milliseconds(ms), percent(ms / lasted)]),
      ),
      `The rest, ${percent(Math.max(0, 1 - working / lasted))}, lies between them: in queues, on the wire, waiting for a turn.`,
      `In Redis with the job, for anyone to read: ${inRedis ?? 'nothing'}`,
    )
    const svg = drawWaterfall(rows, `${chosen.id}, ${rows.length} spans of ${busy.size + 1} processes`)
    print(`Picture: ${await picture('trace.svg', svg)}`)
    await collector[Symbol.asyncDispose]()
    const { problem, refused } = collector
    if (forwardTo) {
      const place = shownUrl(forwardTo.url.href)
      print(problem ? red(`${place} did not take the spans: ${problem}`) : `Handed on to ${place}.`)
    }
    if (refused > 0) print(red(`${count(refused)} requests with spans were refused.`))
    return {
      orders: wanted,
      parent,
      order: chosen.id,
      traceId: traceOf.get(chosen.id),
      traces,
      ms: lasted,
      spans: rows.length,
      spansInAll: spans.length,
      processes: [...new Set(own(chosen.id).map(({ process }) => process))].sort(),
      // Each trace of the order is one tree, and each link leads to a span of another one.
      complete: orders.filter(({ id }) => {
        const { traces, halves, loose } = wholeness(own(id))
        return traces > 0 && halves + loose === 0
      }).length,
      inRedis: inRedis ?? null,
      refused,
      waterfall: rows.map(({ span: { name, kind, process, failed, startMs, endMs, attributes }, depth }) => {
        return { depth, name, kind, process, failed, ms: endMs - startMs, tier: attributes[tierKey] ?? null }
      }),
      exported: forwardTo === undefined ? null : problem === undefined,
    }
  },

  figure: ({ spans, traces, processes, ms }) =>
    `${spans} spans of ${howMany(processes.length, 'process')} in ${traces} traces, ${milliseconds(ms)}`,
})

/**
 * trace: the way of one order through HTTP, queues, workers and Redis as one trace, drawn as a waterfall
 *
 *     pnpm --filter 07-testing start trace
 *     pnpm --filter 07-testing start trace --order 4
 *     OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 pnpm --filter 07-testing start trace
 *
 * Each process sends its spans by OTLP to a small collector that the example starts. With OTEL_EXPORTER_OTLP_ENDPOINT they are
 * handed on to your own, such as Jaeger, Tempo or a vendor's.
 *
 * Look for: the processes in one trace, though none knows the others; where the time goes, and how much of it is waiting.
 */

import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { bold, count, dim, milliseconds, percent, red, table } from '@repo/common/output/terminal'
import { ordersOf } from '../src/pipeline/load.ts'
import { type Span, startCollector } from '../src/traces/collector.ts'
import { bar, busyMs, extent, waterfall } from '../src/traces/waterfall.ts'

const width = 44

export default example(import.meta, {
  options: {
    orders: wholeNumber(1, 2_000).default(40).describe('how many are placed, and traced'),
    order: wholeNumber(1, 2_000).default(1).describe('the one that is drawn'),
    seed: wholeNumber(1, 2 ** 31 - 1)
      .default(1)
      .describe('for the orders'),
  },
  quick: { orders: 10 },

  async run({ orders: wanted, order: drawn, seed }, { signal, print, picture }) {
    if (drawn > wanted) throw new UsageError('--order', drawn, `a whole number up to --orders, ${wanted}`)
    const { OTEL_EXPORTER_OTLP_ENDPOINT: forwardTo } = process.env
    if (forwardTo && !/^https?:$/.test(URL.parse(forwardTo)?.protocol ?? '')) {
      throw new UsageError(
        'OTEL_EXPORTER_OTLP_ENDPOINT',
        forwardTo,
        'an http or https URL, such as http://localhost:4318',
      )
    }
    print(`${count(wanted)} orders, each traced …`)
    await using collector = await startCollector({ forwardTo })
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
    // The exporter of this process reads it as well.
    Object.assign(process.env, env)
    const orders = ordersOf(seed, wanted)
    const chosen = orders[drawn - 1]
    if (!chosen) throw new Error(`there is no order ${drawn}`)
    const { runTraced } = await import('../src/traces/trial.ts')
    const traceOf = await runTraced(orders, env, signal)
    const { spans } = collector
    const own = (id: string) => spans.filter(({ traceId }) => traceId === traceOf.get(id))
    await until(() => own(chosen.id).length > 0, { signal, what: `the spans of ${chosen.id}` })

    const rows = waterfall(own(chosen.id))
    const whole = extent(own(chosen.id))
    const lasted = whole.endMs - whole.startMs
    print(
      '',
      bold(`${chosen.id}: ${rows.length} spans, ${milliseconds(lasted)}`),
      ...rows.map(({ span, depth }) =>
        [
          `${'  '.repeat(depth)}${nameOf(span)}`.padEnd(36).slice(0, 36),
          dim(span.process.padEnd(11)),
          milliseconds(span.endMs - span.startMs).padStart(8),
          span.failed ? red(bar(span, whole, width)) : bar(span, whole, width),
        ].join(' '),
      ),
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
    )
    const { waterfallPicture } = await import('../src/traces/waterfall-picture.ts')
    print(
      `Picture: ${await picture('trace.svg', waterfallPicture(rows, `${chosen.id}, ${rows.length} spans of ${busy.size + 1} processes`))}`,
    )
    await collector[Symbol.asyncDispose]()
    if (forwardTo)
      print(
        collector.problem
          ? red(`${forwardTo} did not take the spans: ${collector.problem}`)
          : `Handed on to ${forwardTo}.`,
      )
    return {
      order: chosen.id,
      traceId: traceOf.get(chosen.id),
      ms: lasted,
      spans: rows.length,
      spansInAll: spans.length,
      processes: [...new Set(own(chosen.id).map(({ process }) => process))].sort(),
      // Every order's spans must hang together, from the client's on.
      complete: orders.filter(({ id }) => waterfall(own(id)).filter(({ depth }) => depth === 0).length === 1).length,
      waterfall: rows.map(({ span, depth }) => ({
        depth,
        name: span.name,
        kind: span.kind,
        process: span.process,
        ms: span.endMs - span.startMs,
      })),
      exported: forwardTo === undefined ? null : collector.problem === undefined,
    }
  },

  figure: ({ spans, processes, ms }) => `${spans} spans of ${processes.length} processes, ${milliseconds(ms)}`,
})

function nameOf({ name, attributes }: Span): string {
  return attributes['db.system.name'] === 'redis' ? `Redis ${name}` : name
}

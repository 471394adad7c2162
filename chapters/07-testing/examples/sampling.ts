/**
 * sampling: what is left of the orders when only some traces are recorded, with parents and with links
 *
 *     pnpm --filter 07-testing start sampling
 *     pnpm --filter 07-testing start sampling --share 0.5
 *
 * Whether a trace is recorded is decided where it begins, and travels with it. The same orders go through three
 * pipelines: an order is one trace; it is three linked traces, of which the first decides for all; it is three linked
 * traces, and each decides for itself.
 *
 * Look for: half traces, of which there are none; links that lead to nothing; and the orders that can be followed from
 * end to end.
 */
import { example } from '@repo/common/example/example'
import { number, seedNumber, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, howMany, percent, table } from '@repo/common/output/terminal'
import pLimit from 'p-limit'
import { ordersOf, plenty } from '../src/pipeline/load.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'
import { type Span, startCollector } from '../src/traces/collector.ts'
import { wholeness } from '../src/traces/waterfall.ts'
import { observed } from '../src/watch/observe.ts'

const ways = {
  'one trace of parents': { parent: true },
  'links, the first decides': {},
  'links, each decides': { each: true },
}

export default example(import.meta, {
  options: {
    orders: wholeNumber(1, 5_000).default(400).describe('how many go through each pipeline'),
    share: number(0, 1).default(0.25).describe('of the traces that is recorded'),
    seed: seedNumber().default(1).describe('for the orders'),
  },
  quick: { orders: 120 },

  async run({ orders: wanted, share, seed }, { signal, print }) {
    print(`${howMany(wanted, 'order')}, three times, ${percent(share)} of the traces recorded …`)
    // No refused cards: each order is one request, one payment and one shipment.
    const orders = ordersOf(seed, wanted).map((order) => ({ ...order, card: 'good' as const }))
    // OpenTelemetry takes a while to load.
    const { startTracing } = await import('../src/watch/traces.ts')
    const { placeTraced } = await import('../src/watch/client.ts')
    using bar = progress('orders', 3 * wanted)
    const atATime = pLimit(16)
    let sent = 0
    const rows = []
    for (const [way, how] of Object.entries(ways)) {
      await using collector = await startCollector()
      // The client decides: a trace begins with it.
      const tracing = startTracing('client', { share }, collector.endpoint)
      {
        await using pipeline = await startPipeline({
          stock: plenty,
          workers: { payment: 1, shipping: 1 },
          slowMs: [0, 0],
          ...observed({ traces: { share, ...how } }, collector.env),
          signal,
        })
        await atATime.map(orders, async (order) => {
          await placeTraced(order, { url: pipeline.url, tier: 'standard', signal })
          bar.update(++sent)
        })
        await pipeline.drained({ signal })
      }
      await tracing.close()
      // Processes have sent their last spans before they exited.
      const { spans } = collector
      const [placed, paid, shipped] = ['POST /orders', 'process payment', 'process shipping'].map((name) =>
        recorded(spans, name),
      ) as [Set<string>, Set<string>, Set<string>]
      const endToEnd = placed.intersection(paid).intersection(shipped).size
      const steps = { placed: placed.size, paid: paid.size, shipped: shipped.size, endToEnd }
      rows.push({ way, ...steps, ...wholeness(spans) })
    }
    print(
      '',
      table(
        ['an order is', 'placed', 'paid', 'shipped', 'end to end', 'traces', 'in parts', 'links', 'to nothing'],
        rows.map(({ way, placed, paid, shipped, endToEnd, traces, halves, links, loose }) => [
          way,
          ...[placed, paid, shipped, endToEnd, traces, halves, links, loose].map(count),
        ]),
      ),
    )
    return { orders: wanted, share, rows }
  },

  figure: ({ rows }) => `${rows.map(({ endToEnd }) => endToEnd).join(', ')} orders from end to end`,
})

/** Returns the orders of which a span of this name was recorded. */
const recorded = (spans: readonly Span[], named: string) =>
  new Set(spans.flatMap(({ name, attributes }) => (name === named ? String(attributes['order.id']) : [])))

import { claims } from '@repo/common/example/claims'
import trace from '../examples/trace.ts'

export default claims(trace, {
  'three-traces': {
    says: 'The first order is three traces: one for the request, and one for each job.',
    holds: ({ traces }) => traces === 3,
    values: ({ traces }) => `${traces} traces`,
  },
  'one-tree-each': {
    says: 'The spans of each trace form one tree, and each link leads to a span of another trace.',
    holds: ({ complete, orders }) => complete === orders,
    values: ({ complete, orders }) => `so for ${complete} of ${orders} orders`,
  },
  'four-processes': {
    says: 'Those of the first order come from four processes.',
    holds: ({ processes }) => processes.length === 4,
    values: ({ processes }) => processes.join(', '),
  },
  'gold-to-the-end': {
    says: 'Every span that the front and the workers make for the steps of the first order says `gold`.',
    holds: ({ waterfall }) =>
      waterfall.filter(({ kind }) => ['server', 'consumer', 'internal'].includes(kind)).length >= 9 &&
      waterfall.every(({ kind, tier }) => !['server', 'consumer', 'internal'].includes(kind) || tier === 'gold'),
    values: ({ waterfall }) => `${waterfall.filter(({ tier }) => tier === 'gold').length} spans`,
  },
  'one-trace': {
    says: 'With `--parent`, it is one trace.',
    holds: ({ traces, complete, orders }) => traces === 1 && complete === orders,
    values: ({ traces }) => `${traces}`,
    args: ['--quick', '--parent'],
  },
  'six-charges': {
    says: 'Its six deliveries are six traces, and all six are linked to the span that sent the job.',
    holds: ({ waterfall, traces, complete, orders }) =>
      waterfall.filter(({ name }) => name === 'charge').length === 6 && traces === 7 && complete === orders,
    values: ({ waterfall, traces }) =>
      `${waterfall.filter(({ name }) => name === 'charge').length} charges in ${traces} traces`,
    args: ['--quick', '--order', '4'],
  },
})

import { claims } from '@repo/common/example/claims'
import trace from '../examples/trace.ts'

export default claims(trace, {
  'one-tree-each': {
    says: 'The spans of each order form one tree.',
    holds: ({ complete, orders }) => complete === orders,
    values: ({ complete, orders }) => `${complete} of ${orders} orders`,
  },
  'four-processes': {
    says: 'Those of the first order come from four processes.',
    holds: ({ processes }) => processes.length === 4,
    values: ({ processes }) => processes.join(', '),
  },
  'six-charges': {
    says: 'Its trace has six charges.',
    holds: ({ waterfall }) => waterfall.filter(({ name }) => name === 'charge').length === 6,
    values: ({ waterfall }) => `${waterfall.filter(({ name }) => name === 'charge').length}`,
    args: ['--quick', '--order', '4'],
  },
})

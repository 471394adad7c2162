import { claims } from '@repo/common/example/claims'
import chaos from '../examples/chaos.ts'

export default claims(chaos, {
  'invariants-hold': {
    says: 'All five invariants hold, and every order ends.',
    holds: ({ violations, ended, orders }) => violations.length === 0 && ended === orders,
    values: ({ violations, ended, orders }) => `${violations.length} violations, ${ended} of ${orders} orders ended`,
  },
  'steps-are-redone': {
    says: 'Many steps are done again after a fault.',
    holds: ({ repeated }) => repeated > 0,
    values: ({ repeated, faults }) => `${repeated} steps, ${faults} faults`,
  },
  'only-money-breaks': {
    says: 'The bug breaks the balance of money and nothing else.',
    holds: ({ violations }) =>
      violations.length > 0 && violations.every(({ invariant }) => invariant === 'money balances'),
    values: ({ violations }) => [...new Set(violations.map(({ invariant }) => invariant))].join(', '),
    args: ['--quick', '--seed', '7', '--bug', 'double-charge'],
  },
})

import { claims } from '@repo/common/example/claims'
import futures from '../examples/futures.ts'

export default claims(futures, {
  'timeout-limits-the-wait': {
    says: 'A timeout limits the wait, not the work.',
    holds: ({ timedOut, value }) => timedOut.startsWith('TimeoutError') && value > 0,
    values: ({ timedOut, value }) => `${timedOut}; then ${value}`,
  },
  'error-keeps-its-line': {
    says: 'It has its name, message and stack, so you know the line with the bug.',
    holds: ({ error, thrownAt }) => error === 'there is no fib(-1)' && /^src\/fib\/fib\.ts:\d+:\d+$/.test(thrownAt),
    values: ({ error, thrownAt }) => `${error}, at ${thrownAt}`,
  },
  'both-can-be-cancelled': {
    says: 'A queued task can be cancelled, and so can a running one.',
    // The first three are the one that ran, the one that went on, and the one in the queue.
    holds: ({ states: [running, other, queued] }) =>
      running === 'cancelled' && other === 'done' && queued === 'cancelled',
    values: ({ states }) => states.join(', '),
  },
  'in-the-order-of-completion': {
    says: 'The last one gives you results in the order in which they complete, not in the order in which you asked.',
    // The longest task was asked for first.
    holds: ({ n, order }) => order.length === 4 && order[0] !== `fib(${n - 1})`,
    values: ({ order }) => order.join(', '),
  },
})

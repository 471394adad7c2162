import { claims } from '@repo/common/example/claims'
import routing from '../examples/routing.ts'

export default claims(routing, {
  'priorities-in-order': {
    says: 'The six tasks of the queue run in the order 1, 1, 4, none, none, 9, and those of the same priority in the order in which they were sent.',
    holds: ({ order }) =>
      order.map(({ priority }) => priority ?? 'none').join() === '1,1,4,none,none,9' &&
      order.map(({ sent }) => sent).join() === '3,6,5,1,4,2',
    values: ({ order }) => order.map(({ sent, priority }) => `${sent}: ${priority ?? 'none'}`).join(', '),
  },
})

import { claims } from '@repo/common/example/claims'
import debug from '../examples/debug.ts'

export default claims(debug, {
  'others-go-on': {
    says: 'While the worker is held, the others go on.',
    holds: (result) => result !== undefined && 'meanwhile' in result && result.meanwhile > 0,
    values: (result) =>
      result !== undefined && 'meanwhile' in result ? `${result.meanwhile} effects` : 'never stopped',
    // A busy machine does little in the tenth of a second of the quick form.
    args: ['--quick', '--pause', '2000'],
  },
  'held-order-shipped-once': {
    says: 'The order that it holds is shipped afterwards, and its goods are taken once.',
    holds: (result) => result !== undefined && 'taken' in result && result.taken === 1 && result.state === 'shipped',
  },
})

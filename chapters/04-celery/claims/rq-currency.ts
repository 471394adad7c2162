import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import rqCurrency from '../examples/rq-currency.ts'

export default claims(rqCurrency, {
  'one-loop-is-faster': {
    says: 'But one thread whose event loop waits for all rates at once is faster than these workers.',
    holds: ({ bestSerialMs, ms }) => bestSerialMs < ms,
    values: ({ bestSerialMs, ms }) => `${milliseconds(bestSerialMs)}, ${milliseconds(ms)}`,
  },
})

import { claims } from '@repo/common/example/claims'
import overhead from '../examples/overhead.ts'

type Result = Awaited<ReturnType<typeof overhead.run>>

/** The rate of one thread in terms of the pipeline's that is not watched. */
const lead = ({ orders, bestSerialMs, barePerSecond = Number.NaN }: Result) =>
  (1000 * orders) / bestSerialMs / barePerSecond

export default claims(overhead, {
  'one-thread-is-faster': {
    says: 'It is at least ten times as fast.',
    holds: (result) => lead(result) >= 10,
    values: (result) => `${lead(result).toFixed(0)}×`,
  },
})

import { claims } from '@repo/common/example/claims'
import linear from '../examples/linear.ts'

type Result = Awaited<ReturnType<typeof linear.run>>

const countsOf = (result: Result) => ('honest' in result ? result : undefined)

export default claims(linear, {
  'right-store-is-not-blamed': {
    says: 'No history of a right store is called wrong.',
    holds(result) {
      const counts = countsOf(result)
      return counts?.honest['not linearizable'] === 0 && counts.honest.linearizable > 0
    },
    values: (result) => `${countsOf(result)?.honest.linearizable} linearizable`,
  },
  'part-is-small': {
    says: 'The part that shows why is a few operations long.',
    holds: (result) => result.part.length >= 2 && result.part.length <= 6,
    values: (result) => `${result.part.length} operations`,
  },
})

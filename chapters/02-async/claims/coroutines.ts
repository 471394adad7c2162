import { claims } from '@repo/common/example/claims'
import coroutines from '../examples/coroutines.ts'

export default claims(coroutines, {
  'last-mean': {
    says: 'The last mean is 5, or 6.5 if the coroutine is not primed.',
    holds: ({ means, lost }) => means.at(-1) === 5 && lost.at(-1) === 6.5,
    values: ({ means, lost }) => `${means.at(-1)}, ${lost.at(-1)}`,
  },
  'closing-closes-all': {
    says: 'Closing the source closes every stage.',
    holds: ({ shown }) => shown.filter((line) => line.endsWith(' closed')).length === 2,
    values: ({ shown }) => shown.slice(-2).join(', '),
  },
})

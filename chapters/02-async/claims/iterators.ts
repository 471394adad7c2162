import { claims } from '@repo/common/example/claims'
import iterators from '../examples/iterators.ts'

export default claims(iterators, {
  'generator-ends-once': {
    says: 'A generator ends once: a second loop over it gets nothing.',
    holds: ({ byGenerator, secondPass }) => byGenerator.length > 0 && secondPass.length === 0,
  },
  'seven-numbers-made': {
    says: 'For the first three primes above 100, seven numbers are made, and the last is 107.',
    holds: ({ primes, made }) => primes.length === 3 && made === 7 && primes.at(-1) === 107,
    values: ({ primes, made }) => `${made} made; ${primes.join(', ')}`,
  },
  'break-closes': {
    says: 'A loop that is left early closes the generator.',
    holds: ({ events }) => events.at(-1) === 'closed' && !events.includes('hands out the third line'),
    values: ({ events }) => events.join(', '),
  },
})

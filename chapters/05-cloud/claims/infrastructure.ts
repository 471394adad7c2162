import { claims } from '@repo/common/example/claims'
import infrastructure from '../examples/infrastructure.ts'

export default claims(infrastructure, {
  'fifty-four-resources': {
    says: 'It takes 54 resources.',
    holds: ({ resources }) => resources === 54,
    values: ({ resources }) => `${resources} resources`,
  },
})

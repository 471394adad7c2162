import { claims } from '@repo/common/example/claims'
import infrastructure from '../examples/infrastructure.ts'

export default claims(infrastructure, {
  'forty-four-resources': {
    says: 'It takes 44 resources.',
    holds: ({ resources }) => resources === 44,
    values: ({ resources }) => `${resources} resources`,
  },
})

import { claims } from '@repo/common/example/claims'
import beanstalk from '../examples/beanstalk.ts'

export default claims(beanstalk, {
  'swap-fails-nothing': {
    says: 'Not one of at least 200 requests fails.',
    holds: ({ swapped }) => swapped?.failed === 0 && swapped.requests >= 200,
    values: ({ swapped }) => `${swapped?.failed} of ${swapped?.requests} failed`,
  },
})

import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import remoteCalls from '../examples/remote-calls.ts'

export default claims(remoteCalls, {
  'a-thousand-share-the-costs': {
    says: 'A thousand calls at once take less than half the time of as many calls one after the other.',
    holds: ({ perSecond: { sequential, concurrent } }) => concurrent > 2 * sequential,
    values: ({ perSecond: { sequential, concurrent } }) => times(concurrent / sequential),
    args: ['--quick', '--calls', '10000'],
  },
})

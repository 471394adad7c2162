import { claims } from '@repo/common/example/claims'
import profile from '../examples/profile.ts'

export default claims(profile, {
  'faults-named': {
    says: 'the example names the slow function, the class that leaks and the function that stalls.',
    holds: ({ hot, leak, stall }) =>
      hot?.name === 'editDistance' && leak?.name === 'Receipt' && stall?.name === 'printReceipts',
    values: ({ hot, leak, stall }) => `${hot?.name}, ${leak?.name}, ${stall?.name}`,
  },
})

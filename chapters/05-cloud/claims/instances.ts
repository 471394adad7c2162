import { claims } from '@repo/common/example/claims'
import instances from '../examples/instances.ts'

export default claims(instances, {
  'instances-count-all': {
    says: 'The two processes count all 1,789,020 words.',
    holds: (result) => 'words' in result && result.instances.length === 2 && result.words === 1_789_020,
    values: (result) => ('words' in result ? `${result.words} words on ${result.instances.join(', ')}` : 'nothing'),
  },
})

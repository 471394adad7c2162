import { claims } from '@repo/common/example/claims'
import remoteWorker from '../examples/remote-worker.ts'

export default claims(remoteWorker, {
  'single-counts-all': {
    says: "The third call of Ann is the fourth call of the object, because it counts Bob's, too.",
    holds: ({ kinds }) => {
      const single = kinds.find(({ instances }) => instances === 'single')
      return single?.ann[2] === 4 && single.bob[0] === 3
    },
    values: ({ kinds }) =>
      kinds.map(({ instances, ann, bob }) => `${instances}: ${ann.join(' ')}, ${bob.join(' ')}`).join('; '),
  },
})

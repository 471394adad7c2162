import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import similarity from '../examples/similarity.ts'

export default claims(similarity, {
  'two-workers-beat-one-good-thread': {
    says: 'two workers beat the best program on one thread.',
    holds: ({ cost }) => cost === 2,
    values: ({ cost, speedup, ceiling }) => `COST ${cost}, ${times(speedup)}, ceiling ${times(ceiling)}`,
    cores: 2,
    args: ['--quick', '--workers', '2'],
  },
  'a-fast-kernel-is-not-a-fast-job': {
    says: 'That part gets faster on two cores than the whole job does',
    holds: ({ old }) => old !== undefined && old.kernelSpeedup > old.wholeSpeedup,
    values: ({ old }) => `${times(old?.kernelSpeedup ?? 0)} and ${times(old?.wholeSpeedup ?? 0)}`,
    cores: 2,
    args: ['--quick', '--workers', '2'],
  },
})

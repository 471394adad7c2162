/** The examples on a real Slurm once more, through its Torque commands. */
import { describeReal } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { need, useRealCluster } from '../fixtures/real-cluster.ts'
import { showThemBy } from '../fixtures/real-examples.ts'

describeReal('on a real cluster', need, () => {
  const used = useRealCluster()
  showThemBy('torque', used)
  it('leaves nothing in the account, and nothing in the queue', () => used.isLeftEmpty())
})

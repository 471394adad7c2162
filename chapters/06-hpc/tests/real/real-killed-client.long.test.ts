/** A client that is killed at the moments that the shorter test leaves out. */
import { describeReal } from '@repo/common/testing/vitest'
import { describe, it } from 'vitest'
import { isFollowedByAnotherClient } from '../fixtures/killed-client.ts'
import { need, useRealCluster } from '../fixtures/real-cluster.ts'

describeReal('on a real cluster', need, () => {
  const { real } = useRealCluster()
  describe.concurrent('a client that is killed', () => {
    it.each(['before the upload', 'after the upload', 'after a poll'])(
      '%s leaves a run that another client finishes, with each task run once',
      (point) => isFollowedByAnotherClient(real(), point),
    )
  })
})

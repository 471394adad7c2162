/** Elections by lease on etcd. */
import { findEtcd, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { expectElections } from './elections.ts'

leavesNothingRunning()

describeReal('on etcd', { name: 'etcd', found: await findEtcd(), install: installStores }, () => {
  it('whoever is struck is replaced, and two lead only where they must', { timeout: 120_000 }, () =>
    expectElections('etcd', 1_000),
  )
})

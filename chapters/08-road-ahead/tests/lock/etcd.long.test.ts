/** The lock on etcd. */
import { findEtcd, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { expectRounds } from './tallies.ts'

leavesNothingRunning()

describeReal('on etcd', { name: 'etcd', found: await findEtcd(), install: installStores }, () => {
  it('a paused holder loses a write without a token, and none with one', () => expectRounds('etcd', 1_000))
})

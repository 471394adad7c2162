/** Leases on etcd, and clients of it as processes. */
import { findEtcd, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { givesLeases } from './contract.ts'
import { expectElections } from './elections.ts'
import { expectRounds } from './rounds.ts'

leavesNothingRunning()

describeReal('etcd', { name: 'etcd', found: await findEtcd(), install: installStores }, () => {
  givesLeases('etcd')
  it('a paused holder loses a write without a token, and none with one', () => expectRounds('etcd', 1_000))
  it('whoever is struck is replaced, and two lead only where they must', { timeout: 120_000 }, () =>
    expectElections('etcd', 1_000),
  )
})

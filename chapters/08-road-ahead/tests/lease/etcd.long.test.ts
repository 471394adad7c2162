/** Leases on etcd. */
import { findEtcd, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { etcd } from '../../src/lease/etcd.ts'
import { givesLeases } from './contract.ts'

leavesNothingRunning()

describeReal('etcd', { name: 'etcd', found: await findEtcd(), install: installStores }, () => givesLeases(etcd))

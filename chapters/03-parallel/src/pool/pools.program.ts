/** Provokes every fault in one pool; a process of its own for each pool of the `pool` example. Argument: JSON. */
import { ready } from '@repo/common/process/ready'
import { faultNames, faults, type PoolFault, type PoolName, pools, provoke } from './pools.ts'

const { name, workers, heapMb, timeoutMs } = JSON.parse(process.argv[2] ?? '') as {
  name: PoolName
  workers: number
  heapMb: number
  timeoutMs: number
}
const reports: PoolFault[] = []
for (const fault of faultNames) {
  const pool = pools[name]({ workers, heapMb })
  const report = await provoke(
    pool,
    { do: faults[fault] },
    // Only what hangs has a deadline, so that it is not the deadline which ends the others.
    { workers, timeoutMs: fault === 'hangs' ? timeoutMs : undefined, patienceMs: timeoutMs + 2_000 },
  )
  reports.push({ pool: name, fault, ...report })
}
ready(reports)

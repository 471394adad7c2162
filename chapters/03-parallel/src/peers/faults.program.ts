/** Provokes every fault in one pool and reports what became of each. Its argument is a FaultsRequest as JSON. */
import { ready } from '@repo/common/process/ready'
import { describe, type FaultsRequest, faultNames, faults, type PoolFault, provoke } from './faults.ts'
import { pools } from './pools.ts'

const { name, workers, heapMb, timeoutMs } = JSON.parse(process.argv[2] ?? '') as FaultsRequest
const reports: PoolFault[] = []
// A pool may throw where nobody can catch it: tinypool does if a thread fails while the pool is disposed of.
let uncaught: unknown[] = []
process.on('uncaughtException', (error) => uncaught.push(error))
for (const fault of faultNames) {
  uncaught = []
  const pool = pools[name]({ workers, heapMb })
  const report = await provoke(
    pool,
    { do: faults[fault] },
    // Only the task that hangs has a deadline, so that no deadline ends the others.
    { workers, timeoutMs: fault === 'hangs' ? timeoutMs : undefined, patienceMs: timeoutMs + 2_000 },
  )
  const cause = [report.cause, ...uncaught.map((error) => `uncaught: ${describe(error)}`)].join('; ')
  reports.push({ pool: name, fault, ...report, cause })
}
ready(reports)

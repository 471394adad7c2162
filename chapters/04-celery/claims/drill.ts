import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import drill from '../examples/drill.ts'

type Result = Awaited<ReturnType<typeof drill.run>>

const lockMs = 1_000
/** One schedule of faults for all claims. */
const args = ['--quick', '--seed', '2026', '--lock', String(lockMs)]

/** How long it took until the jobs of killed workers were done, those that had any. */
const recoveries = ({ faults }: Result) =>
  faults.filter(({ kind, held }) => kind === 'kill' && held > 0).map(({ recoveryMs }) => recoveryMs)

export default claims(drill, {
  'nothing-lost-nothing-doubled': {
    says: 'No job is lost, no effect is lost, and no effect is doubled.',
    holds: ({ jobs, done, jobsLost, effectsLost, doubled }) =>
      done === jobs && jobsLost + effectsLost + doubled === 0 && jobs > 0,
    values: ({ jobs, jobsLost, effectsLost, doubled, faults }) =>
      `${faults.length} faults, ${jobs} jobs: ${jobsLost}, ${effectsLost}, ${doubled}`,
    args,
  },
  'careless-writes-double': {
    says: 'Without the key some amounts are booked more than once.',
    holds: ({ doubledWithoutKey }) => doubledWithoutKey > 0,
    values: ({ doubledWithoutKey, retries }) => `${doubledWithoutKey}; ${retries} jobs begun again`,
    args,
  },
  'recovery-takes-a-lock': {
    says: 'After a kill it never takes less than nine tenths of a lock.',
    holds: (result) => recoveries(result).every((ms) => ms >= 0.9 * lockMs),
    values: (result) => recoveries(result).map(milliseconds).join(', '),
    applies: (result) => recoveries(result).length > 0,
    args,
  },
})

import { claims } from '@repo/common/example/claims'
import { count } from '@repo/common/output/terminal'
import failures from '../examples/failures.ts'

/** Even on a busy machine only the task that hangs is still running after this time. */
const patient = ['--quick', '--walltime', '6']
const retried = [...patient, '--retry']

/** The primes below a million, https://oeis.org/A006880. */
const allPrimes = 78_498

export default claims(failures, {
  'four-failures': {
    says: 'Four tasks fail, and the scheduler tells the one that timed out from those that failed.',
    holds: ({ failures }) =>
      failures.map(({ task, state }) => `${task} ${state}`).join() === '13 failed,42 failed,66 timed out,77 failed',
    values: ({ failures }) => failures.map(({ task, state }) => `${task} ${state}`).join(', '),
    args: retried,
  },
  'only-the-four-again': {
    says: 'With --retry only the four are submitted again, as one job',
    holds: ({ resubmitted, submitCommands, completed, tasks }) =>
      resubmitted === 4 && submitCommands === 2 && completed === tasks,
    values: ({ resubmitted, submitCommands }) => `${resubmitted} again, ${submitCommands} commands to submit in all`,
    args: retried,
  },
  'a-missing-part-shows': {
    says: 'Without --retry four tasks are missing, and the sum is too small.',
    holds: ({ primes, completed, tasks }) => tasks - completed === 4 && primes < allPrimes,
    values: ({ primes, completed }) => `${count(primes)} primes, ${completed} completed`,
    args: patient,
  },
})

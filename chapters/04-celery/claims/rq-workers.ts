import { claims } from '@repo/common/example/claims'
import rqWorkers from '../examples/rq-workers.ts'

export default claims(rqWorkers, {
  'killed-job-runs-again': {
    says: 'The job of the killed worker is begun twice and has one result.',
    holds: ({ workers, jobs }) =>
      workers.filter(({ signal }) => signal === 'SIGKILL').length === 1 &&
      jobs.filter(({ attempts }) => attempts === 2).length === 1 &&
      jobs.every(({ status, result }) => status === 'finished' && typeof result === 'number'),
    values: ({ workers, jobs }) =>
      `${workers.map(({ signal, code }) => signal ?? `code ${code}`).join(', ')}; begun: ${jobs.map(({ attempts }) => attempts).join(', ')}`,
    // Windows has no SIGTERM.
    platform: ['linux', 'darwin'],
  },
})

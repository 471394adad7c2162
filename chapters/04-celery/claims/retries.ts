import { claims } from '@repo/common/example/claims'
import retries from '../examples/retries.ts'

export default claims(retries, {
  'jitter-serves-sooner': {
    says: 'With full jitter, all 60 tasks are served in less than half the time, for fewer calls.',
    holds: ({ tasks, policies: [together, jitter] }) =>
      tasks === 60 && !!together && !!jitter && jitter.ms < together.ms / 2 && jitter.tries < together.tries,
    values: ({ policies }) => policies.map(({ name, tries, ms }) => `${name}: ${tries}, ${ms} ms`).join('; '),
    args: ['--quick', '--tasks', '60'],
  },
})

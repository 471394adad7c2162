import { claims } from '@repo/common/example/claims'
import preflight from '../examples/preflight.ts'

export default claims(preflight, {
  'what-would-break': {
    says: 'A missing package, a folder that is read-only, a queue that does not answer and a wrong clock break the work; another time zone and another secret do not.',
    holds: ({ broken }) =>
      ['not-installed', 'read-only', 'no-redis', 'wrong-clock'].every((name) => broken.includes(name)) &&
      !['other-zone', 'other-secret'].some((name) => broken.includes(name)),
    values: ({ broken }) => broken.join(', '),
    // Windows has no folder that its owner may not write to.
    platform: ['linux', 'darwin'],
  },
  'secret-not-shown': {
    says: 'The table says that API_TOKEN differs, and shows neither value.',
    holds: ({ findings }) => {
      const [token, ...more] = findings.filter(({ check }) => check === 'API_TOKEN')
      return more.length === 0 && [token?.value, token?.others].every((text) => text?.endsWith(' value, not shown'))
    },
  },
})

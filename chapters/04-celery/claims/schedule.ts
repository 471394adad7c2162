import { claims } from '@repo/common/example/claims'
import schedule from '../examples/schedule.ts'

export default claims(schedule, {
  'no-moment-twice': {
    says: 'No moment fires twice, although three programs declare the schedule again and again, and a worker and Redis die.',
    holds: ({ schedulers, fired, doubled }) => schedulers === 3 && fired >= 12 && doubled === 0,
    values: ({ fired, doubled }) => `${fired} firings, ${doubled} twice`,
  },
})

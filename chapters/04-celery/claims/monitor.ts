import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import monitor from '../examples/monitor.ts'

export default claims(monitor, {
  'waits-less-than-it-runs': {
    says: 'The median task waits for less time than it runs.',
    holds: ({ queues: [queue] }) => queue !== undefined && queue.waitMs.p50 < queue.runMs.p50,
    values: ({ queues: [queue] }) =>
      queue ? `waits ${milliseconds(queue.waitMs.p50)}, runs ${milliseconds(queue.runMs.p50)}` : 'no queue',
  },
})

import { claims } from '@repo/common/example/claims'
import cancellation from '../examples/cancellation.ts'

export default claims(cancellation, {
  'one-signal-ends-all': {
    says: 'All eight layers end with an AbortError.',
    holds: ({ ended }) => ended.length === 8 && ended.every(({ error }) => error === 'AbortError'),
    values: ({ ended }) => ended.map(({ name, ms }) => `${name} ${ms.toFixed(0)} ms`).join(', '),
  },
  'all-leaves-them-running': {
    says: 'When Promise.all has failed, the server is still busy with five requests.',
    holds: ({ openAfterAll }) => openAfterAll === 5,
    values: ({ openAfterAll }) => `${openAfterAll} requests`,
  },
  'group-leaves-nothing': {
    says: 'When the task group has failed, no request is left.',
    holds: ({ openAfterGroup }) => openAfterGroup === 0,
    values: ({ openAfterGroup }) => `${openAfterGroup} requests`,
  },
  'nothing-is-left': {
    says: 'At the end the process holds what it held at the beginning.',
    holds: ({ atTheBeginning, atTheEnd }) => atTheEnd === atTheBeginning,
    values: ({ atTheEnd }) => atTheEnd,
  },
})

import { claims } from '@repo/common/example/claims'
import results from '../examples/results.ts'

export default claims(results, {
  'wait-ends-in-time': {
    says: 'The wait without a worker ends with its timeout, and purging finds all 100 tasks.',
    // A timer may be a millisecond early, and on a busy machine late.
    holds: ({ timeout, waitedMs, ended, purged }) =>
      waitedMs >= timeout - 2 && waitedMs < timeout + 5_000 && ended.includes('no result of echo') && purged === 100,
    values: ({ timeout, waitedMs, purged }) => `${waitedMs.toFixed(0)} ms of ${timeout} ms; ${purged} tasks`,
  },
  'unknown-is-a-state': {
    says: 'A task that was purged, one whose result is ignored and one whose result was forgotten are all unknown.',
    holds: ({ purgedState, rows }) =>
      purgedState === 'unknown' &&
      ['ignored', 'forgotten'].every((how) => rows.find(({ task }) => task.endsWith(how))?.state === 'unknown'),
    values: ({ purgedState, rows }) => [purgedState, ...rows.map(({ state }) => state)].join(', '),
  },
})

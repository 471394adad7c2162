import { claims } from '@repo/common/example/claims'
import limits from '../examples/limits.ts'

type Result = Awaited<ReturnType<typeof limits.run>>

const ms = ({ concurrency }: Result, wanted: number) =>
  concurrency.find(({ places }) => places === wanted)?.ms ?? Number.NaN

export default claims(limits, {
  'rate-across-workers': {
    says: 'Two workers keep the limit of 20 together: they start fewer than 25 tasks per second, where each alone could start 20.',
    holds: ({ rate }) => rate.limit === 20 && rate.perSecond < 25,
    values: ({ rate }) => `${rate.perSecond.toFixed(1)} per second, ${rate.byWorker.join(' and ')}`,
    // With all tasks on one of them, it says nothing about two.
    applies: ({ rate }) => rate.byWorker.length === 2,
  },
  'places-for-waiting': {
    says: 'With 32 places, tasks that wait take less than half as long as with two.',
    holds: (result) => ms(result, 32) < ms(result, 2) / 2,
    values: ({ concurrency }) => concurrency.map(({ places, ms }) => `${places}: ${ms.toFixed(0)} ms`).join(', '),
  },
  'limits-end-all': {
    says: 'The task that listens to its soft limit returns what it has; the other three fail with TimeLimitExceeded.',
    holds: ({ time: [soft, ...hard] }) =>
      soft?.ended.includes('SoftTimeLimitExceeded') === true &&
      hard.length === 3 &&
      hard.every(({ ended }) => ended === 'TimeLimitExceeded'),
    values: ({ time }) => time.map(({ ms, ended }) => `${ended} after ${ms.toFixed(0)} ms`).join(', '),
  },
})

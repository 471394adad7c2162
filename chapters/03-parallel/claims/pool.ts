import { claims } from '@repo/common/example/claims'
import { count, percent } from '@repo/common/output/terminal'
import pool from '../examples/pool.ts'

export default claims(pool, {
  'every-promise-settles': {
    says: 'In our pool every promise settles, whatever its task does to its worker, the other tasks are done, and the pool can still be used and closed.',
    holds: ({ behaviour }) => {
      const ours = behaviour.filter(({ pool }) => pool === 'ours')
      const well = ours.filter(
        ({ settled, others, of, usable, closes }) => settled && others === of && usable && closes,
      )
      return ours.length === 4 && well.length === 4
    },
    values: ({ behaviour }) =>
      behaviour.flatMap(({ pool, fault, cause }) => (pool === 'ours' ? `${fault}: ${cause}` : [])).join('; '),
  },
  'ours-keeps-up': {
    says: 'Our pool does at least half as many empty tasks per second as piscina.',
    holds: ({ ratioToPiscina }) => ratioToPiscina >= 0.5,
    values: ({ ratioToPiscina }) => percent(ratioToPiscina),
  },
  'a-task-costs-microseconds': {
    says: 'A task costs less than a millisecond, whichever of the four pools you take.',
    holds: ({ speeds }) => speeds.length === 4 && speeds.every(({ perSecond }) => perSecond > 1000),
    values: ({ speeds }) => speeds.map(({ pool, perSecond }) => `${pool} ${count(Math.round(perSecond))}/s`).join(', '),
  },
  'empty-tasks-never-pay': {
    says: 'For empty tasks no number of threads pays.',
    holds: ({ lengths }) => typeof lengths[0]?.cost === 'string',
    values: ({ lengths }) => lengths.map(({ task, cost }) => `${task}: ${cost}`).join(', '),
  },
})

import { claims } from '@repo/common/example/claims'
import { milliseconds, times } from '@repo/common/output/terminal'
import oversubscribe from '../examples/oversubscribe.ts'

type Result = Awaited<ReturnType<typeof oversubscribe.run>>
const most = ({ rows }: Result) => rows.at(-1) as Result['rows'][number]

export default claims(oversubscribe, {
  'waiting-keeps-gaining': {
    says: 'more threads keep helping: the most threads wait at least four times as fast as one',
    holds: (result) => (result.rows[0]?.waitMs ?? 0) >= 4 * most(result).waitMs,
    values: (result) => times((result.rows[0]?.waitMs ?? 0) / most(result).waitMs),
  },
  'computing-stops-at-the-cores': {
    says: 'For computing, the most threads are at most a third faster than as many threads as cores.',
    holds: (result) => {
      const onCores = result.rows.find(({ workers }) => workers === result.cores)?.computeMs ?? Number.NaN
      return onCores <= (4 / 3) * most(result).computeMs
    },
    values: ({ rows }) => rows.map(({ workers, computeMs }) => `${workers}: ${milliseconds(computeMs)}`).join(', '),
    args: [],
  },
  'no-number-of-threads-pays': {
    says: 'No number of threads in the table beats either',
    holds: ({ costs }) => typeof costs.computing.cost === 'string' && typeof costs.waiting.cost === 'string',
    values: ({ costs }) => `computing ${costs.computing.cost}, waiting ${costs.waiting.cost}`,
  },
})

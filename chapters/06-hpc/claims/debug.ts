import { claims } from '@repo/common/example/claims'
import debug from '../examples/debug.ts'

type Result = Awaited<ReturnType<typeof debug.run>>

/** The result without --job and --shell. */
function shown(result: Result) {
  if ('log' in result) return result
  throw new Error('it shows no jobs that wait')
}

const refused = (result: Result) => shown(result).waits.filter((each) => each.refused)
const refusedIn = (result: Result) =>
  `refused: ${
    refused(result)
      .map(({ what }) => what)
      .join('; ') || 'none'
  }`
const isTooLarge = /^A job of \d+ cores/

export default claims(debug, {
  'slurm-refuses-one': {
    says: 'Of these five jobs Slurm refuses one, the one that is too large for every node.',
    holds: (result) => {
      const [one, ...more] = refused(result)
      return shown(result).waits.length === 5 && more.length === 0 && isTooLarge.test(one?.what ?? '')
    },
    values: refusedIn,
  },
  'htcondor-refuses-nothing': {
    says: 'And HTCondor does not refuse what the pool cannot do',
    holds: (result) =>
      refused(result).length === 0 &&
      shown(result).waits.some(({ what, meaning }) => isTooLarge.test(what) && meaning.startsWith('it asks for more')),
    values: refusedIn,
    args: ['--quick', '--scheduler', 'htcondor'],
  },
  'log-arrives-live': {
    says: 'Every line of the log arrives while the job still runs.',
    holds: (result) => {
      const { lines, live } = shown(result).log
      return lines.length > 0 && live === lines.length
    },
    values: (result) => `${shown(result).log.live} of ${shown(result).log.lines.length} lines`,
  },
})

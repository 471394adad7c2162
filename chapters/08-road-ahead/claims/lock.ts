import { claims } from '@repo/common/example/claims'
import lock from '../examples/lock.ts'

type Result = Awaited<ReturnType<typeof lock.run>>

const storesOf = ({ stores }: Result) =>
  stores.flatMap(({ store, tallies = [] }) => tallies.map((tally) => ({ store, ...tally })))
/** The tallies of a mistake, one for each store; of the correct version by default. */
const talliesOf = (result: Result, mistake?: string) => storesOf(result).filter((tally) => tally.mistake === mistake)
const applies = (result: Result) => storesOf(result).length > 0
const roundsOf = ({ rounds }: Result) => rounds

export default claims(lock, {
  'lease-loses': {
    says: 'Without a token, a write is lost in every round, on each store.',
    applies,
    holds: (result) => talliesOf(result, 'checks its clock').every(({ lost }) => lost === roundsOf(result)),
    values: (result) =>
      talliesOf(result, 'checks its clock')
        .map(({ store, lost }) => `${store}: ${lost}`)
        .join(', '),
  },
  'token-loses-nothing': {
    says: 'With a token on everything, no history and no round loses a write.',
    holds: (result) =>
      result.versions[0]?.mistake === undefined &&
      result.versions[0]?.violation === undefined &&
      talliesOf(result).every(({ lost }) => lost === 0),
    values: (result) => `${result.versions[0]?.histories} histories, ${roundsOf(result)} rounds`,
  },
  'reads-need-it': {
    says: 'with no token on reads, Redis loses a write in every round.',
    applies: (result) => storesOf(result).some(({ store }) => store === 'redis'),
    holds: (result) =>
      talliesOf(result, 'no token on reads').find(({ store }) => store === 'redis')?.lost === roundsOf(result),
  },
  'freed-for-another': {
    says: "Whoever asks next gets the lock in the middle of another's lease, in every round.",
    applies,
    holds: (result) => talliesOf(result, 'frees any lock').every(({ givenTwice }) => givenTwice === roundsOf(result)),
    values: (result) =>
      talliesOf(result, 'frees any lock')
        .map(({ store, givenTwice }) => `${store}: ${givenTwice}`)
        .join(', '),
  },
})

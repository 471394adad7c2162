import { claims } from '@repo/common/example/claims'
import elect from '../examples/elect.ts'

type Result = Awaited<ReturnType<typeof elect.run>>

/** With shorter leases a busy machine would lose some by itself. */
const args = ['--quick', '--leases', '400,800,1600', '--pause', '1000']
const rowsOf = ({ stores }: Result) => stores.flatMap(({ rows = [] }) => rows)
const applies = (result: Result) => rowsOf(result).length > 0
/** A time of a fault, in ms, for each lease from the shortest to the longest. */
const timesOf = (result: Result, fault: string, time: 'nobodyMs' | 'twoMs' | 'awakeMs') =>
  rowsOf(result).flatMap(({ faults }) => faults.filter(({ name }) => name === fault).map((each) => each[time]))
const inMs = (times: number[]) => times.map((ms) => `${ms.toFixed(0)} ms`).join(', ')
const isRising = (times: number[]) => times.every((ms, at) => at === 0 || ms > (times[at - 1] ?? 0))
const sum = (times: number[]) => times.reduce((total, ms) => total + ms, 0)

export default claims(elect, {
  'longer-gap': {
    says: 'The longer the lease, the longer nobody leads after a kill.',
    args,
    applies,
    holds: (result) => isRising(timesOf(result, 'killed', 'nobodyMs')),
    values: (result) => inMs(timesOf(result, 'killed', 'nobodyMs')),
  },
  'shorter-overlap': {
    says: 'The longer the lease, the shorter the time in which there are two; a lease longer than the pause prevents it.',
    args,
    applies,
    holds: (result) =>
      isRising(timesOf(result, 'paused', 'twoMs').toReversed()) &&
      (timesOf(result, 'paused', 'twoMs').at(-1) ?? 0) < 20,
    values: (result) => inMs(timesOf(result, 'paused', 'twoMs')),
  },
  'slow-clock-is-harmless': {
    says: 'As long as the leader reaches the store, its own clock may run at half speed, and nothing happens.',
    args,
    applies,
    holds: (result) =>
      (['nobodyMs', 'twoMs'] as const).every((time) => timesOf(result, 'slow clock', time).every((ms) => ms < 20)),
  },
  'slow-clock-two': {
    says: 'With a clock at half speed, two lead, and both are awake.',
    args,
    applies,
    holds: (result) => timesOf(result, 'cut off, slow', 'awakeMs').every((ms) => ms > 20),
    values: (result) => inMs(timesOf(result, 'cut off, slow', 'awakeMs')),
  },
  'allowed-for': {
    says: 'and again steps down in time.',
    args,
    applies,
    holds: (result) =>
      sum(timesOf(result, 'slow, allowed for', 'twoMs')) < sum(timesOf(result, 'cut off, slow', 'twoMs')) / 10,
    values: (result) => inMs(timesOf(result, 'slow, allowed for', 'twoMs')),
  },
  'rule-has-no-alarm': {
    says: 'The rule as above has no alarm, and each of the three mistakes is found.',
    args,
    holds: ({ versions }) =>
      versions.length === 4 &&
      versions.every(({ mistake, violation }) => (mistake === undefined) === (violation === undefined)),
    values: ({ versions }) => versions.map(({ mistake = 'none', histories }) => `${mistake}: ${histories}`).join(', '),
  },
})

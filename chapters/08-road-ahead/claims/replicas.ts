import { claims } from '@repo/common/example/claims'
import replicas from '../examples/replicas.ts'

type Result = Awaited<ReturnType<typeof replicas.run>>

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0)
/** The settings of which each read shares a copy with each write, and the others. */
const overlapping = ({ settings }: Result) => settings.filter(({ n, w, r }) => r + w > n)
const others = ({ settings }: Result) => settings.filter(({ n, w, r }) => r + w <= n)
const counted = (rows: Result['settings']) =>
  `${sum(rows.map((row) => row.stale))} stale, ${sum(rows.map((row) => row.lost))} lost`
const variant = ({ variants }: Result, name: string) => variants.find((row) => row.variant === name)
const searchOf = ({ searches }: Result, name: string) => searches.find((row) => row.variant === name)
/** The keys that are out of date after the last of the reads. */
const left = ({ returns }: Result, name: string) => returns.ways.find(({ way }) => way === name)?.stale.at(-1)
const redis = ({ redis: { rows } }: Result, waits: boolean) => rows.filter((row) => row.waits === waits)
const told = (rows: ReturnType<typeof redis>) =>
  rows.map(({ delayMs, stale, lost, gone }) => `${delayMs} ms: ${stale} stale, ${lost} lost, ${gone} gone`).join('; ')
const hasRedis = ({ redis: { rows } }: Result) => rows.length > 0

export default claims(replicas, {
  'overlap-is-fresh': {
    says: 'Where R + W > N, no read is stale, and no acknowledged write is lost.',
    holds: (result) =>
      overlapping(result).length > 5 && overlapping(result).every(({ stale, lost }) => stale + lost === 0),
    values: (result) => counted(overlapping(result)),
  },
  'no-overlap-is-stale': {
    says: 'Where R + W ≤ N, some reads are stale, and acknowledged writes are lost.',
    holds: (result) =>
      sum(others(result).map(({ stale }) => stale)) > 0 && sum(others(result).map(({ lost }) => lost)) > 0,
    values: (result) => counted(others(result)),
  },
  'new-then-old': {
    says: 'The search finds it although R + W > N, and also if readers repair what they have found after their answer.',
    holds: (result) =>
      ['no repair', 'repair after the answer'].every((name) => (searchOf(result, name)?.events ?? 100) <= 40),
    values: ({ searches }) => searches.map(({ variant, events }) => `${variant}: ${events ?? 'none'}`).join(', '),
  },
  'repair-first-mends': {
    says: 'With repair before the answer, the search finds nothing.',
    holds: (result) => {
      const row = searchOf(result, 'repair before the answer')
      return row !== undefined && row.violation === undefined && row.histories >= 3_000
    },
    values: (result) => `${searchOf(result, 'repair before the answer')?.histories} histories`,
  },
  'slow-clock-loses': {
    says: 'As soon as one clock is slow, acknowledged writes are lost, and reads are stale, although R + W > N.',
    holds: (result) =>
      (variant(result, 'by clock, one is slow')?.lost ?? 0) > 0 &&
      (variant(result, 'by clock, one is slow')?.stale ?? 0) > 0 &&
      variant(result, 'by clock')?.lost === 0,
    values: (result) => `${variant(result, 'by clock, one is slow')?.lost} lost`,
  },
  'sloppy-answers': {
    says: 'Then writes are answered while two copies are away, and the price is stale reads.',
    holds: (result) => {
      const [strict, sloppy] = [variant(result, 'by clock'), variant(result, 'by clock, hints count')]
      return (sloppy?.twoAway ?? 0) > 0.3 && strict?.twoAway === 0 && (sloppy?.stale ?? 0) > 0 && strict.stale === 0
    },
    values: (result) => `${variant(result, 'by clock, hints count')?.stale} stale`,
  },
  'hints-die-with-keeper': {
    says: 'If the keeper dies, the copy lacks everything, as without hints; if it restarts, its disk has them.',
    holds: (result) =>
      left(result, 'nothing') === result.returns.keys &&
      left(result, 'hints, their keeper dies') === result.returns.keys &&
      left(result, 'hints, their keeper restarts') === 0 &&
      left(result, 'hints') === 0,
    values: ({ returns }) => returns.ways.map(({ way, stale }) => `${way}: ${stale.at(-1)}`).join(', '),
  },
  'replica-is-late': {
    says: 'Without WAIT, reads at the replica are old, and a replica that takes over lacks acknowledged writes.',
    holds: (result) => {
      const slowest = redis(result, false).at(-1)
      return slowest !== undefined && slowest.stale > 0 && slowest.lost > 0
    },
    values: (result) => told(redis(result, false)),
    applies: hasRedis,
  },
  'wait-waits': {
    says: 'With WAIT 1, no read was old and no acknowledged write was lost.',
    holds: (result) => redis(result, true).every(({ stale, lost }) => stale + lost === 0),
    values: (result) => told(redis(result, true)),
    applies: hasRedis,
  },
})

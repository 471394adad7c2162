import { claims } from '@repo/common/example/claims'
import race from '../examples/race.ts'

type Result = Awaited<ReturnType<typeof race.run>>

const ns = ({ rows }: Result, way: string) => rows.find((row) => row.way === way)?.nsPerAddition ?? Number.NaN
const lost = ({ rows }: Result) => rows.find(({ way }) => way === 'unprotected')?.lost ?? []
const inNs = (...values: number[]) => values.map((value) => `${value.toFixed(2)} ns`).join(', ')

export default claims(race, {
  'slow-motion-keeps-one': {
    says: 'In slow motion one addition survives, however many threads add.',
    holds: ({ inStep }) => inStep.counted === 1,
    args: ['--quick', '--workers', '5', '--additions', '1000'],
  },
  'losses-differ': {
    says: 'Without protection, the rounds lose different numbers of updates.',
    holds: (result) => new Set(lost(result)).size > 1,
    values: (result) => `${Math.min(...lost(result))} to ${Math.max(...lost(result))}`,
    cores: 2,
  },
  'correct-ways-lose-nothing': {
    says: 'The other four ways for several threads lose nothing.',
    holds: ({ rows }) => rows.filter(({ way, mostLost }) => way !== 'unprotected' && mostLost === 0).length === 4,
  },
  'atomics-cost': {
    says: 'With Atomics.add on two threads, an addition takes at least three times as long as on one thread alone.',
    holds: (result) => ns(result, 'atomic') >= 3 * result.alone.nsPerAddition,
    values: (result) => inNs(ns(result, 'atomic'), result.alone.nsPerAddition),
    cores: 2,
  },
  'mutex-costs-more': {
    says: 'Even so, the mutex costs more than Atomics.add.',
    holds: (result) => ns(result, 'mutex') > ns(result, 'atomic'),
    values: (result) => inNs(ns(result, 'mutex'), ns(result, 'atomic')),
  },
  'not-sharing-wins': {
    says: 'Of the correct ways for two threads, a counter each is the fastest, at least three times as fast as Atomics.add.',
    holds: (result) => ns(result, 'atomic') >= 3 * ns(result, 'padded') && ns(result, 'mutex') > ns(result, 'padded'),
    values: (result) => inNs(ns(result, 'padded'), ns(result, 'atomic'), ns(result, 'mutex')),
    cores: 2,
  },
})

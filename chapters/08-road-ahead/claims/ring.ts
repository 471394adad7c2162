import { claims } from '@repo/common/example/claims'
import ring from '../examples/ring.ts'

type Result = Awaited<ReturnType<typeof ring.run>>

const of = ({ ways }: Result, name: string) => ways.find(({ way }) => way === name)
const rings = ({ ways }: Result) => ways.filter(({ way }) => way.startsWith('ring'))

export default claims(ring, {
  'modulo-moves-nearly-all': {
    says: 'With the remainder, nine keys of ten move.',
    holds: (result) => Math.abs((of(result, 'modulo')?.moved ?? 0) - 0.9) < 0.03,
    values: (result) => `${of(result, 'modulo')?.moved}`,
  },
  'nothing-for-nothing': {
    says: 'The other three never move a key from one old node to another.',
    holds: ({ ways }) => ways.slice(1).every(({ astray }) => astray === 0),
    values: ({ ways }) => ways.map(({ way, astray }) => `${way}: ${astray}`).join(', '),
  },
  'points-make-even': {
    says: 'The more points, the less the fullest node has.',
    holds: (result) => rings(result).every(({ fullest }, at) => fullest < (rings(result)[at - 1]?.fullest ?? Infinity)),
    values: (result) =>
      rings(result)
        .map(({ fullest }) => fullest.toFixed(2))
        .join(', '),
  },
  'both-are-even': {
    says: 'Jump and rendezvous fill the fullest node less than a tenth above its even share.',
    holds: (result) => ['jump', 'rendezvous'].every((way) => (of(result, way)?.fullest ?? 2) < 1.1),
    values: (result) => ['jump', 'rendezvous'].map((way) => of(result, way)?.fullest.toFixed(2)).join(', '),
  },
})

import { claims } from '@repo/common/example/claims'
import clocks from '../examples/clocks.ts'

type Result = Awaited<ReturnType<typeof clocks.run>>

function verdict({ verdicts }: Result, name: string) {
  const found = verdicts.find(({ clock }) => clock === name)
  if (!found) throw new Error(`no verdict on the ${name}`)
  return found
}

const reversed = (result: Result, name: string) => verdict(result, name).receivedBeforeSent
const share = (result: Result, name: string) => `${reversed(result, name)} of ${result.messages}`
const all = ({ verdicts }: Result, of: 'causesAfterEffects' | 'madeUp') =>
  verdicts.map((verdict) => `${verdict.clock}: ${verdict[of]}`).join(', ')

export default claims(clocks, {
  'estimates-within-bound': {
    says: 'Every exchange has an error within its bound.',
    holds: ({ exchanges, withinBound }) => withinBound === exchanges,
    values: ({ exchanges, withinBound }) => `${withinBound} of ${exchanges}`,
  },
  'wall-clocks-reverse': {
    says: 'With these clocks it is at least one message in ten.',
    holds: (result) => reversed(result, 'wall clock') >= result.messages / 10,
    values: (result) => share(result, 'wall clock'),
    args: ['--quick', '--seed', '1'],
  },
  'corrected-clocks-reverse-fewer': {
    says: 'Corrected clocks reverse less than a quarter as many.',
    holds: (result) => reversed(result, 'wall clock, corrected') < reversed(result, 'wall clock') / 4,
    values: (result) => `${share(result, 'wall clock, corrected')}, ${share(result, 'wall clock')}`,
    args: ['--quick', '--seed', '1'],
  },
  'only-vectors-make-nothing-up': {
    says: 'Of all these clocks, only the vectors make up no order.',
    holds: ({ verdicts }) => verdicts.every(({ clock, madeUp }) => (clock === 'vector') === (madeUp === 0)),
    values: (result) => all(result, 'madeUp'),
  },
  'hybrid-no-worse': {
    says: 'it is wrong by at most a millisecond more than the worst wall clock.',
    holds: ({ hybridErrorMs, wallErrorMs }) => hybridErrorMs <= wallErrorMs + 1,
    values: ({ hybridErrorMs, wallErrorMs }) => `${hybridErrorMs.toFixed(2)} ms, ${wallErrorMs.toFixed(2)} ms`,
  },
  'logical-clocks-keep-causes': {
    says: 'Lamport clocks, vectors and hybrid clocks never put an effect before its cause.',
    holds: (result) => ['Lamport', 'vector', 'hybrid'].every((name) => verdict(result, name).causesAfterEffects === 0),
    values: (result) => all(result, 'causesAfterEffects'),
  },
})

import { claims } from '@repo/common/example/claims'
import simulate from '../examples/simulate.ts'

type Result = Awaited<ReturnType<typeof simulate.run>>

/** With one seed the histories are the same on every machine. */
const args = ['--quick', '--seed', '1']

const withBug = ({ versions }: Result) => versions.filter(({ bug }) => bug !== undefined)
const shortest = ({ versions }: Result, name: string) => versions.find(({ bug }) => bug === name)?.shortest?.scenario

export default claims(simulate, {
  'hundreds-a-second': {
    says: 'One core runs hundreds of whole histories a second, even on a busy machine.',
    holds: ({ perSecond }) => perSecond >= 200,
    values: ({ perSecond }) => `${Math.round(perSecond)} a second`,
    args,
  },
  'bugs-found-soon': {
    says: 'Each of the five bugs is found within 35 of them.',
    holds: (result) =>
      withBug(result).length === 5 &&
      withBug(result).every(({ histories, violation }) => violation !== undefined && histories <= 35),
    values: (result) =>
      withBug(result)
        .map(({ bug, histories }) => `${bug}: ${histories}`)
        .join(', '),
    args,
  },
  'correct-is-correct': {
    says: 'In the version without a bug, nothing breaks.',
    holds: ({ versions: [correct] }) => correct?.bug === undefined && correct?.violation === undefined,
    values: ({ versions: [correct] }) => correct?.violation?.detail ?? `${correct?.histories} histories`,
    args,
  },
  'one-order-one-crash': {
    says: 'What is left of early-ack is one order and one crash.',
    holds: (result) => {
      const { requests = [], messages = [], nodes = [] } = shortest(result, 'early-ack') ?? {}
      return requests.length === 1 && messages.length === 0 && nodes.length === 1 && nodes[0]?.fate === 'crash after'
    },
    values: (result) => JSON.stringify(shortest(result, 'early-ack')?.nodes),
    args,
  },
  'one-clock-is-enough': {
    says: 'What is left of it is one order and one clock that is less than 20 ms wrong.',
    holds: (result) => {
      const { requests = [], messages = [], nodes = [] } = shortest(result, 'clock-order') ?? {}
      const [clock, ...more] = nodes
      return requests.length === 1 && messages.length + more.length === 0 && clock?.fate === 'clock' && clock.ms < 20
    },
    values: (result) => JSON.stringify(shortest(result, 'clock-order')?.nodes),
    args,
  },
})

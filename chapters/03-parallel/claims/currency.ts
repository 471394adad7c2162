import { claims } from '@repo/common/example/claims'
import { bytes, milliseconds } from '@repo/common/output/terminal'
import currency from '../examples/currency.ts'

type Result = Awaited<ReturnType<typeof currency.run>>
type Ways = Result['ways']
const way = (ways: Ways, name: Ways[number]['way']) => ways.find(({ way }) => way === name) as Ways[number]
const times = ({ ways }: Result) => ways.map(({ way, ms }) => `${way} ${milliseconds(ms)}`).join(', ')
/** In the quick form the start of the threads takes longer than the waits. */
const args = ['--pairs', '10', '--latency', '500']

export default claims(currency, {
  'waits-add-up': {
    says: 'One after the other, the waits add up: that takes at least twice as long as a thread for each pair.',
    holds: ({ ways }) => way(ways, 'sequentially').ms >= 2 * way(ways, 'onThreads').ms,
    values: times,
    args,
  },
  'event-loop-beats-threads': {
    says: 'It is faster still than the threads.',
    holds: ({ ways }) => way(ways, 'onTheEventLoop').ms < way(ways, 'onThreads').ms,
    values: times,
    args,
  },
  'thread-costs-memory': {
    says: 'And a thread costs at least 5 MB more than a pending promise.',
    holds: ({ ways, pairs }) => moreForEachThread(ways, pairs) >= 5e6,
    values: ({ ways, pairs }) => bytes(moreForEachThread(ways, pairs)),
    args,
  },
})

function moreForEachThread(ways: Ways, pairs: number): number {
  return (way(ways, 'onThreads').addedBytes - way(ways, 'onTheEventLoop').addedBytes) / pairs
}

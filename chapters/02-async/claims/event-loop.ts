import { claims } from '@repo/common/example/claims'
import eventLoop from '../examples/event-loop.ts'

type Result = Awaited<ReturnType<typeof eventLoop.run>>

function way({ computations }: Result, name: string) {
  const found = computations.find((computation) => computation.name.startsWith(name))
  if (!found) throw new Error(`no way ${name}`)
  return found
}

const inMs = (...values: number[]) => values.map((value) => `${value.toFixed(1)} ms`).join(', ')

export default claims(eventLoop, {
  'order-as-predicted': {
    says: 'The callbacks run in the predicted order.',
    holds: ({ predicted, observed }) => observed.length > 0 && observed.join() === predicted.join(),
    values: ({ observed }) => `${observed.length} callbacks`,
  },
  'at-once-blocks': {
    says: 'Counted at once, the words hold up the event loop for at least 80 % of the whole time.',
    holds: (result) => way(result, 'at once').longestDelayMs >= 0.8 * way(result, 'at once').ms,
    values: (result) => inMs(way(result, 'at once').longestDelayMs, way(result, 'at once').ms),
  },
  'slices-free-the-loop': {
    says: 'In slices, the longest delay is at most half of that.',
    holds: (result) => way(result, 'in slices').longestDelayMs <= 0.5 * way(result, 'at once').longestDelayMs,
    values: (result) => inMs(way(result, 'in slices').longestDelayMs, way(result, 'at once').longestDelayMs),
  },
})

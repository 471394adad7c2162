import { claims } from '@repo/common/example/claims'
import { count, percent } from '@repo/common/output/terminal'
import beyond from '../examples/beyond.ts'

const args = ['--rounds', '3']

export default claims(beyond, {
  'model-holds': {
    says: 'For 2, 4 and 8 workers, which it has not seen, the model is never off by more than a quarter.',
    holds: ({ checked }) => checked.every(({ error }) => Math.abs(error) <= 0.25),
    values: ({ checked }) => checked.map(({ workers, error }) => `${workers}: ${percent(error)}`).join(', '),
    args,
  },
  'broker-is-full': {
    says: 'Long before 10,000 workers, the broker is busy all the time.',
    holds: ({ saturated, predictions }) =>
      saturated !== null && saturated <= 2_048 && (predictions.at(-1)?.brokerLoad ?? 0) > 0.95,
    values: ({ saturated }) => `from ${saturated} workers on`,
    args,
  },
  'more-wait-longer': {
    says: 'From there on, more workers get no more done: each of them waits longer.',
    holds: ({ saturated, predictions }) => {
      const [from, to] = [predictions.find(({ workers }) => workers === saturated), predictions.at(-1)]
      return !!from && !!to && to.perSecond < 1.1 * from.perSecond && to.cycleMs > 4 * from.cycleMs
    },
    values: ({ predictions }) =>
      `${count(Math.round(predictions.at(-1)?.cycleMs ?? 0))} ms for a task with 10,000 workers`,
    args,
  },
  'brokers-add-up': {
    says: 'Eight brokers do more than seven times as much as one, as long as there are workers enough.',
    holds: ({ shards }) => (shards.at(-1)?.perSecond ?? 0) > 7 * (shards[0]?.perSecond ?? 1),
    values: ({ shards }) => shards.map(({ brokers, perSecond }) => `${brokers}: ${Math.round(perSecond)}`).join(', '),
    args,
  },
})

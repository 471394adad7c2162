import { claims } from '@repo/common/example/claims'
import metrics from '../examples/metrics.ts'

type Result = Awaited<ReturnType<typeof metrics.run>>

/** Rates are over three seconds, and a third of the run has a worker less. */
const args = ['--seconds', '15']

function signal({ signals }: Result, curve: string) {
  const found = signals.find(({ name }) => name === curve)
  if (!found) throw new Error(`no curve ${curve}`)
  return found
}

const before = (result: Result, curve: string) => signal(result, curve).before
const during = (result: Result, curve: string) => signal(result, curve).during

export default claims(metrics, {
  'latency-shows-nothing': {
    says: 'the median time of a job stays below twice what it was before.',
    holds: (result) => during(result, 'jobs, median') < 2 * before(result, 'jobs, median'),
    values: (result) =>
      `${before(result, 'jobs, median').toFixed(3)} s, ${during(result, 'jobs, median').toFixed(3)} s`,
    args,
  },
  'payments-fall': {
    says: 'it falls while the worker is missing.',
    holds: (result) => signal(result, 'payments').leastDuring < 0.95 * before(result, 'payments'),
    values: (result) =>
      `${before(result, 'payments').toFixed(0)} a second, ${signal(result, 'payments').leastDuring.toFixed(0)}`,
    args,
  },
  'queue-grows': {
    says: 'The queue grows, and the age of its oldest order with it.',
    holds: (result) =>
      ['waiting orders', 'age of the oldest, ms'].every((curve) => during(result, curve) > before(result, curve)),
    values: (result) =>
      ['waiting orders', 'age of the oldest, ms']
        .map((curve) => `${before(result, curve).toFixed(0)} to ${during(result, curve).toFixed(0)}`)
        .join(', '),
    args,
  },
})

import { claims } from '@repo/common/example/claims'
import currency from '../examples/currency.ts'

export default claims(currency, {
  'fails-alone': {
    says: 'The task that asks for a currency that does not exist fails alone, with its reason.',
    holds: ({ pairs, rates, failed }) =>
      failed?.includes('there is no currency "atlantis"') === true && Object.keys(rates).length === pairs,
    values: ({ pairs, rates, failed }) => `${Object.keys(rates).length} of ${pairs} rates; ${failed}`,
  },
  'loop-waits-fastest': {
    says: 'The workers do not beat the event loop of one thread.',
    holds: ({ cost }) => typeof cost === 'string',
    values: ({ ms, bestSerialMs }) => `${ms?.toFixed(0)} ms, ${bestSerialMs?.toFixed(0)} ms`,
    // Two tasks for each place, as in the text.
    args: ['--quick', '--pairs', '40', '--workers', '2'],
  },
  'sent-without-workers': {
    says: 'Without workers, all tasks are sent and stay in the queue until they are purged: the rates, and the one without a currency.',
    holds: ({ pairs, workers, purged }) => workers === 0 && purged === pairs + 1,
    values: ({ pairs, purged }) => `${purged} for ${pairs} pairs`,
    args: ['--quick', '--no-workers', '--timeout', '300'],
  },
})

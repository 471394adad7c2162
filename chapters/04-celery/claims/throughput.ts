import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import throughput from '../examples/throughput.ts'

type Result = Awaited<ReturnType<typeof throughput.run>>

/** How many times as long as one thread the queue takes, from the shortest tasks to the longest. */
const ratios = ({ lengths }: Result) => lengths.map(({ ms, bestSerialMs }) => ms / bestSerialMs)

export default claims(throughput, {
  'layer-keeps-a-third': {
    says: "It keeps more than a third of bare BullMQ's rate.",
    holds: ({ layerToBare }) => layerToBare > 1 / 3,
    values: ({ layerToBare }) => times(layerToBare),
  },
  'layer-beats-celery': {
    says: 'The layer does at least three times as many tasks a second as Celery.',
    holds: ({ layerToCelery }) => layerToCelery !== null && layerToCelery >= 3,
    values: ({ layerToCelery }) => (layerToCelery === null ? 'no Celery' : times(layerToCelery)),
    applies: ({ layerToCelery }) => layerToCelery !== null,
  },
  'long-tasks-catch-up': {
    says: 'The queue takes more than five times as long as one thread for the shortest of these tasks, and less than three times as long for the longest.',
    holds: (result) => (ratios(result).at(0) ?? 0) > 5 && (ratios(result).at(-1) ?? 3) < 3,
    values: (result) => ratios(result).map(times).join(', '),
  },
})

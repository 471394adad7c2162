import { claims } from '@repo/common/example/claims'
import { milliseconds, times } from '@repo/common/output/terminal'
import ranks from '../examples/ranks.ts'

type Result = Awaited<ReturnType<typeof ranks.run>>

/** How many times as long our ring takes as Open MPI by the transport that it chooses. */
const against = ({ ours, openMpiDefault }: Result, what: 'hopUs' | 'reduceMs') =>
  (ours?.[what] ?? Number.NaN) / (openMpiDefault?.[what] ?? Number.NaN)
const hasOpenMpi = ({ openMpiDefault }: Result) => openMpiDefault !== undefined

const args = ['--quick', '--rounds', '3']

export default claims(ranks, {
  'shared-memory-is-near': {
    says: 'Then it passes a small message on in less time than our ring.',
    applies: hasOpenMpi,
    holds: (result) => against(result, 'hopUs') > 1,
    values: ({ ours, openMpiDefault }) =>
      `${ours?.hopUs.toFixed(1)} µs, Open MPI ${openMpiDefault?.hopUs.toFixed(1)} µs`,
    args,
  },
  'long-vectors-are-closer': {
    says: "Long vectors bring our ring closer to Open MPI's shared memory than short messages do.",
    applies: hasOpenMpi,
    holds: (result) => against(result, 'reduceMs') < against(result, 'hopUs'),
    values: (result) => `${times(against(result, 'reduceMs'))} and ${times(against(result, 'hopUs'))}`,
    args,
  },
  'no-cost-at-one-step': {
    says: 'With one step of work for each number there is no COST.',
    holds: ({ cost }) => typeof cost === 'string',
    values: ({ jobs, ranks }) =>
      jobs
        .map(({ ms, bestSerialMs }) => `${ranks} ranks ${milliseconds(ms)}, one thread ${milliseconds(bestSerialMs)}`)
        .join(),
    args,
  },
  'the-start-alone': {
    says: 'Starting and connecting the ranks alone takes longer than the whole job on one thread',
    holds: ({ startMs, bestSerialMs }) => startMs > bestSerialMs,
    values: ({ startMs, bestSerialMs }) => `${milliseconds(startMs)}, ${milliseconds(bestSerialMs)}`,
    args,
  },
})

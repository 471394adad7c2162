import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import fourHosts from '../examples/four-hosts.ts'

type Result = Awaited<ReturnType<typeof fourHosts.run>>

/** The step in which the cable is pulled. */
const whileCut = ({ steps }: Result) => steps.find(({ step }) => step.startsWith('cable of'))
const chunksOf = (step: Result['steps'][number] | undefined) =>
  Object.values(step?.byWorker ?? {}).reduce((sum, chunks) => sum + chunks, 0)

export default claims(fourHosts, {
  'no-chunk-is-missing': {
    says: 'still no chunk is missing.',
    holds: (result) => whileCut(result)?.sorted === true && chunksOf(whileCut(result)) === result.chunks,
    values: (result) => JSON.stringify(whileCut(result)?.byWorker),
  },
  'client-waits-for-the-lock': {
    says: 'It waits for at least nine tenths of a lock.',
    holds: (result) => (whileCut(result)?.ms ?? 0) >= 0.9 * result.lockMs,
    values: (result) => `${milliseconds(whileCut(result)?.ms ?? Number.NaN)}, a lock is ${milliseconds(result.lockMs)}`,
    applies: ({ cut }) => cut.held,
  },
})

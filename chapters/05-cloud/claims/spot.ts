import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import spot from '../examples/spot.ts'

type Result = Awaited<ReturnType<typeof spot.run>>

/** The other worker finishes its jobs long before the timeout. */
const args = ['--notice', '0.4', '--visibility', '12', '--repeat', '25']

function runs({ runs }: Result) {
  const [heeded, ignored] = [runs.find(({ heeded }) => heeded), runs.find(({ heeded }) => !heeded)]
  if (!heeded || !ignored) throw new Error('a run is missing')
  return { heeded, ignored }
}

export default claims(spot, {
  'notice-puts-back': {
    says: 'A worker that heeds the notice puts jobs back; one that does not heed it puts none back.',
    holds: (result) => runs(result).heeded.putBack > 0 && runs(result).ignored.putBack === 0,
    values: (result) => `${runs(result).heeded.putBack} heeded, ${runs(result).ignored.putBack} not heeded`,
    args,
  },
  'lost-jobs-sit-idle': {
    says: 'Lost jobs sit idle for at least half of the visibility timeout, and longer than those that were put back.',
    holds: (result) => {
      const { heeded, ignored } = runs(result)
      return ignored.idleMs >= 500 * result.visibility && ignored.idleMs > heeded.idleMs
    },
    values: (result) =>
      `lost ${milliseconds(runs(result).ignored.idleMs)}, put back ${milliseconds(runs(result).heeded.idleMs)}`,
    args,
    // On a very fast machine the worker has finished its jobs before its machine ends.
    applies: (result) => runs(result).ignored.again > 0,
  },
})

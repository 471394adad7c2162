import { claims } from '@repo/common/example/claims'
import canvas from '../examples/canvas.ts'

type Result = Awaited<ReturnType<typeof canvas.run>>

const shape = ({ shapes }: Result, name: string) => shapes.find(({ shape }) => shape === name)
const sum = ({ failures }: Result, onFailure: string) => failures.find((failure) => failure.onFailure === onFailure)

/** Long enough that on a busy machine, too, one task ends before the one that fails. */
const args = ['--quick', '--ms', '250']

export default claims(canvas, {
  'one-message-for-ten': {
    says: 'The ten squares travel in one message as a starmap, and in four as chunks of three.',
    holds: (result) => shape(result, 'starmap')?.tasks.length === 1 && shape(result, 'chunks')?.tasks.length === 4,
    values: ({ shapes }) => shapes.map(({ shape, tasks }) => `${shape} ${tasks.length}`).join(', '),
    args,
  },
  'five-fates': {
    says: 'The sum fails with fail, is 13 with ignore and remove, is 4 with continue, and still waits with wait.',
    holds: (result) =>
      sum(result, 'fail')?.state === 'failed' &&
      sum(result, 'ignore')?.result === 13 &&
      sum(result, 'remove')?.result === 13 &&
      sum(result, 'continue')?.result === 4 &&
      sum(result, 'wait')?.state === 'waiting-children',
    values: ({ failures }) => failures.map(({ onFailure, result }) => `${onFailure}: ${result}`).join(', '),
    args,
  },
})

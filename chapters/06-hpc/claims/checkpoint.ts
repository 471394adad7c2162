import { claims } from '@repo/common/example/claims'
import { count } from '@repo/common/output/terminal'
import checkpoint from '../examples/checkpoint.ts'

export default claims(checkpoint, {
  'nothing-twice': {
    says: 'Each life begins with the number at which the one before has stopped: nothing is computed twice, and nothing is lost.',
    // A fast machine may need only one.
    applies: ({ lives }) => lives.length > 1,
    holds: ({ lives, below }) =>
      lives[0]?.from === 1 &&
      lives.at(-1)?.to === below &&
      lives.every(({ from }, at) => at === 0 || from === lives[at - 1]?.to),
    values: ({ lives }) => lives.map(({ from, to }) => `${count(from)} to ${count(to)}`).join(', '),
    args: ['--quick', '--below', '6000000', '--warn', '4'],
  },
})

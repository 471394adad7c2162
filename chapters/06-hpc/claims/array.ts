import { claims } from '@repo/common/example/claims'
import { milliseconds, times } from '@repo/common/output/terminal'
import array from '../examples/array.ts'

/** As many tasks as in the text. */
const args = ['--quick', '--tasks', '40']

/** Between two polls, in ms. */
const everyMs = 500

export default claims(array, {
  'one-command-to-submit': {
    says: 'One command submits all tasks, and each task runs once.',
    holds: ({ submitCommands, completed, tasks, resubmitted }) =>
      submitCommands === 1 && completed === tasks && resubmitted === 0,
    values: ({ submitCommands, completed, resubmitted }) =>
      `${submitCommands} command, ${completed} completed, ${resubmitted} submitted again`,
    args,
  },
  'two-polls-a-second': {
    says: 'The client polls at most twice a second, however many tasks there are.',
    holds: ({ pollCommands, ms }) => pollCommands <= ms / everyMs + 1,
    values: ({ pollCommands, ms }) => `${pollCommands} polls in ${milliseconds(ms)}`,
    args,
  },
  'thread-beats-array': {
    says: 'It is at least three times as fast as the array',
    holds: ({ ms, bestSerialMs }) => ms >= 3 * bestSerialMs,
    values: ({ ms, bestSerialMs }) => `${times(ms / bestSerialMs)}: ${milliseconds(bestSerialMs)}`,
    args,
  },
})

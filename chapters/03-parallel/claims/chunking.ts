import { claims } from '@repo/common/example/claims'
import { count, milliseconds } from '@repo/common/output/terminal'
import chunking from '../examples/chunking.ts'

export default claims(chunking, {
  'many-tasks-are-slow': {
    says: 'with the most tasks the time is longer than with the best cut',
    holds: ({ sizes, best }) => (sizes.at(-1)?.ms ?? 0) > best.ms && best.tasks <= 1_000,
    values: ({ sizes, best }) =>
      `${count(best.tasks)} tasks ${milliseconds(best.ms)}, ${count(sizes.at(-1)?.tasks ?? 0)} ${milliseconds(sizes.at(-1)?.ms ?? 0)}`,
    args: ['--quick', '--tasks', '32000'],
  },
  'guided-has-fewer-chunks': {
    says: 'with fewer chunks than the dynamic schedule has.',
    holds: ({ schedules }) => {
      const chunks = (name: string) => schedules.find(({ schedule }) => schedule === name)?.chunks ?? 0
      return chunks('guided') < chunks('dynamic')
    },
    values: ({ schedules }) => schedules.map(({ schedule, chunks }) => `${schedule} ${chunks}`).join(', '),
    args: ['--quick', '--tasks', '32000'],
  },
  'the-sieve-beats-all-workers': {
    says: 'Trial division on all workers does not beat it.',
    holds: ({ cost }) => typeof cost === 'string',
    values: ({ cost, bestSerialMs, best }) => `${cost}: ${milliseconds(bestSerialMs)} and ${milliseconds(best.ms)}`,
    args: ['--quick', '--workers', '2'],
  },
  'a-large-sieve-pays': {
    says: 'for the largest one, two threads beat one.',
    holds: ({ sieve }) => sieve.at(-1)?.cost === 2,
    values: ({ sieve }) => sieve.map(({ limit, cost }) => `${count(limit)}: ${cost}`).join(', '),
    cores: 2,
    args: ['--quick', '--workers', '2'],
  },
})

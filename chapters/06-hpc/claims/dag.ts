import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import dag from '../examples/dag.ts'

type Result = Awaited<ReturnType<typeof dag.run>>

const job = ({ jobs }: Result, wanted: string) => {
  const found = jobs.find(({ name }) => name === wanted)
  if (!found) throw new Error(`no job ${wanted}`)
  return found
}
const began = (result: Result, name: string) => job(result, name).startedMs ?? Number.NaN
const ended = (result: Result, name: string) => job(result, name).endedMs ?? Number.NaN
const times = (result: Result, ...names: string[]) =>
  names.map((name) => `${name} ${milliseconds(began(result, name))} to ${milliseconds(ended(result, name))}`).join(', ')
const states = ({ jobs }: Result) => jobs.map(({ name, state }) => `${name} ${state}`).join(', ')

const byDagman = ['--quick', '--scheduler', 'htcondor', '--fail', 'B']

export default claims(dag, {
  'b-and-c-together': {
    says: 'B and C run at the same time.',
    holds: (result) => began(result, 'B') < ended(result, 'C') && began(result, 'C') < ended(result, 'B'),
    values: (result) => times(result, 'B', 'C'),
  },
  'd-after-both': {
    says: 'D begins when both have ended, and not before.',
    holds: (result) => began(result, 'D') >= Math.max(ended(result, 'B'), ended(result, 'C')),
    values: (result) => times(result, 'B', 'C', 'D'),
  },
  'loop-beats-jobs': {
    says: 'Without that, and with more numbers, they are not faster than one thread either',
    holds: ({ cost }) => cost === 'not up to 2',
    values: ({ ms, bestSerialMs = Number.NaN }) =>
      `four jobs ${milliseconds(ms)}, one thread ${milliseconds(bestSerialMs)}`,
    args: ['--quick', '--seconds', '0', '--numbers', '10000000'],
  },
  'd-never-begins': {
    says: 'C completes all the same, and D never begins.',
    holds: (result) => job(result, 'C').state === 'completed' && job(result, 'D').startedMs === undefined,
    values: states,
    args: ['--quick', '--fail', 'B'],
  },
  'd-never-submitted': {
    says: 'DAGMan has not submitted D at all.',
    holds: (result) => job(result, 'D').id === undefined && job(result, 'C').id !== undefined,
    values: ({ jobs }) => jobs.map(({ name, id = 'none' }) => `${name} ${id}`).join(', '),
    args: byDagman,
  },
  'rescue-names-the-finished': {
    says: 'The file names the jobs that have succeeded, and no others.',
    holds: ({ rescue = '', jobs }) => {
      const done = Array.from(rescue.matchAll(/^DONE (\S+)$/gm), ([, name]) => name)
      const succeeded = jobs.filter(({ state }) => state === 'completed').map(({ name }) => name)
      return done.length > 0 && done.sort().join() === succeeded.sort().join()
    },
    values: (result) => `${result.rescue?.replaceAll('\n', '; ')}: ${states(result)}`,
    args: byDagman,
  },
})

import { claims } from '@repo/common/example/claims'
import { count, milliseconds } from '@repo/common/output/terminal'
import compare from '../examples/compare.ts'

type Result = Awaited<ReturnType<typeof compare.run>>

const speed = ['--quick', '--tasks', '1000', '--naps', '100', '--ms', '50', '--only', 'bullmq,rq,bee,remote,celery']
const killed = ['--quick', '--limit', '60', '--only', 'bullmq,rq,bee,remote']

const rows = ({ contenders }: Result, names: string[]) =>
  names.map((each) => contenders.find(({ name }) => name === each))
const sharing = ['bullmq', 'rq', 'bee']

/** What two processes with one task at a time would need for all waiting tasks, in ms. */
const inTurnMs = ({ naps, napMs }: Result) => (naps * napMs) / 2

const napsOf = (result: Result, names: string[]) =>
  rows(result, names)
    .map((row) => `${row?.label} ${milliseconds(row?.napsMs ?? Number.NaN)}`)
    .join(', ')
const fatesOf = (result: Result, names: string[]) =>
  rows(result, names)
    .map((row) => `${row?.label}: begun ${row?.killed?.begun}, ${row?.killed?.outcome}`)
    .join('; ')

export default claims(compare, {
  'not-worth-adding': {
    says: 'None of these is worth its price for adding two numbers.',
    holds: ({ cost, contenders }) =>
      typeof cost === 'string' && contenders.some(({ perSecond }) => perSecond !== undefined),
    values: ({ cost, bestSerialMs, tasks, contenders }) =>
      `COST ${cost}; plain calls ${count(Math.round((1_000 * tasks) / bestSerialMs))}/s, contenders up to ${count(Math.round(Math.max(...contenders.map(({ perSecond = 0 }) => perSecond))))}/s`,
    args: speed,
  },
  'waiting-tasks-share-a-process': {
    says: 'They finish the waiting tasks in less than half the time that two processes with one task at a time would need.',
    holds: (result) =>
      rows(result, sharing).every((row) => row?.napsMs !== undefined && row.napsMs < inTurnMs(result) / 2),
    values: (result) => napsOf(result, sharing),
    args: speed,
  },
  'celery-waits-in-turn': {
    says: 'So a Celery of two processes needs at least half of the time that all the waiting tasks take together.',
    applies: ({ contenders }) => contenders.some(({ name, napsMs }) => name === 'celery' && napsMs !== undefined),
    holds: (result) => rows(result, ['celery']).every((row) => (row?.napsMs ?? 0) >= inTurnMs(result)),
    values: (result) => napsOf(result, ['celery']),
    args: speed,
  },
  'an-error-at-once': {
    says: 'The client gets an error, and the task is not begun again.',
    holds: (result) =>
      rows(result, ['remote']).every((row) => row?.killed?.outcome === 'error' && row.killed.begun === 1),
    values: (result) => fatesOf(result, ['remote']),
    args: killed,
  },
  'begun-twice': {
    says: 'begun twice, one result.',
    holds: (result) =>
      rows(result, sharing).every((row) => row?.killed?.outcome === 'result' && row.killed.begun === 2),
    values: (result) => fatesOf(result, sharing),
    args: killed,
  },
})

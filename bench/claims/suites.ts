import { claims } from '@repo/common/example/claims'
import { median } from '@repo/common/measure'
import { duration, times } from '@repo/common/output/terminal'
import suites from '../examples/suites.ts'
import type { Row } from '../src/harness/suite.ts'

type Result = Awaited<ReturnType<typeof suites.run>>

const rowsOf = ({ suites }: Result, suite: string) =>
  (suites[suite]?.rows ?? []).filter(({ failed }) => failed === undefined)
const price = (result: Result, id: string, metric = 'togetherNs') =>
  median(rowsOf(result, 'ladder').find((row) => row.id === id)?.samples[metric] ?? [])

const ladder = ['ladder', '--quick', '--only', 'call,message,batch,child,spawn,array']
const tasks = ['hpc', '--quick', '--only', 'loop,master']
const killed = ['engines', '--quick', '--only', 'layer,bullmq,bee']
const figures = (result: Result, name: string) =>
  rowsOf(result, 'engines').map(({ label, figures }) => `${label} ${figures[name]}`)

/** How many times as much as ours a contender takes, in a metric of a suite. */
const toOurs = (result: Result, suite: string, id: string, metric: string) => {
  const ms = (row?: Row) => median(row?.samples[metric] ?? [])
  const rows = rowsOf(result, suite)
  return ms(rows.find((row) => row.id === id)) / ms(rows[0])
}
const took = (suite: string, id: string) => (result: Result) => rowsOf(result, suite).some((row) => row.id === id)
/** That a contender takes more than this number of times as much as ours, in a run of the two. */
const takesMore = (factor: number, suite: string, id: string, metric: string) => ({
  holds: (result: Result) => toOurs(result, suite, id, metric) > factor,
  values: (result: Result) => times(toOurs(result, suite, id, metric)),
  applies: took(suite, id),
  args: [suite, '--quick', '--only', id],
})

export default claims(suites, {
  'seven-decades': {
    says: 'From a call to a batch job, the price of handing over one task grows by more than seven decades.',
    holds: (result) => price(result, 'array', 'aloneNs') > 1e7 * price(result, 'call', 'aloneNs'),
    values: (result) =>
      `${duration(price(result, 'call', 'aloneNs'))} to ${duration(price(result, 'array', 'aloneNs'))}`,
    args: ladder,
  },
  'batches-share-the-price': {
    says: 'A thousand tasks in a message cost each of them less than a third of a message of its own.',
    holds: (result) => 3 * price(result, 'batch') < price(result, 'message'),
    values: (result) => times(price(result, 'message') / price(result, 'batch')),
    args: ladder,
  },
  'a-process-is-dear': {
    says: 'A new process for each task costs more than a hundred messages to a process that is there.',
    holds: (result) => price(result, 'spawn') > 100 * price(result, 'child'),
    values: (result) => `${duration(price(result, 'spawn'))} and ${duration(price(result, 'child'))}`,
    args: ladder,
  },
  'threads-draw-faster': {
    says: "Threads draw more than twice as fast as Python's processes.",
    ...takesMore(2, 'compute', 'futures', 'mandelbrot'),
  },
  'bytes-beat-grep': {
    says: 'The bytes take less time than grep.',
    ...takesMore(1, 'text', 'grep', 'ms'),
  },
  'aws-starts-long': {
    says: 'For a file of 1 MB the AWS command line takes more than three times as long as ours:',
    ...takesMore(3, 'storage', 'aws', 'up at 1'),
  },
  'bundling-pays': {
    says: 'Capnweb alone, which sends each message by itself, takes longer.',
    holds: (result) => toOurs(result, 'remote', 'capnweb', 'together at 10') > 1,
    values: (result) => times(toOurs(result, 'remote', 'capnweb', 'together at 10')),
    args: ['remote', '--quick', '--only', 'capnweb'],
  },
  'a-megabyte-is-dear': {
    says: 'Bare TCP hands it over in less than half the time of a remote object.',
    holds: (result) => toOurs(result, 'remote', 'limit', 'alone') < 1 / 2,
    values: (result) => times(toOurs(result, 'remote', 'limit', 'alone')),
    args: ['remote', '--quick', '--only', 'limit'],
  },
  'one-connection-saves': {
    says: 'A hundred tasks over one connection take less than a third of the time of a loop that starts ssh for each.',
    holds: (result) => toOurs(result, 'hpc', 'loop', 'ms') > 3,
    values: (result) => times(toOurs(result, 'hpc', 'loop', 'ms')),
    applies: took('hpc', 'loop'),
    args: tasks,
  },
  'control-master-saves': {
    says: "ControlMaster saves more than half of the loop's time.",
    holds: (result) => toOurs(result, 'hpc', 'loop', 'ms') > 2 * toOurs(result, 'hpc', 'master', 'ms'),
    values: (result) => ['loop', 'master'].map((id) => times(toOurs(result, 'hpc', id, 'ms'))).join(' and '),
    applies: took('hpc', 'master'),
    args: tasks,
  },
  'a-killed-worker-loses-nothing': {
    says: 'When a worker is killed, none of these three loses a job, and none doubles an effect.',
    holds: (result) => {
      const rows = rowsOf(result, 'engines')
      const none = ['lost', 'held', 'doubled'].every((what) =>
        rows.every(({ figures }) => figures[`worker killed: ${what}`] === 0),
      )
      return rows.length === 3 && none
    },
    values: (result) => figures(result, 'worker killed: lost').join(', '),
    args: killed,
  },
})

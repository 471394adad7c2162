/**
 * dag: jobs that wait for each other, as a diamond: A, then B and C, then D; and what becomes of it when one fails
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 06-hpc start dag
 *     pnpm --filter 06-hpc start dag --fail B
 *     pnpm --filter 06-hpc start dag --scheduler htcondor --fail B
 *
 * A writes numbers into a file, B adds the odd ones, C the even ones, D adds the two sums. Nothing but the scheduler knows
 * when one may begin: the client submits all four at once and could go home.
 *
 * Look for: B and C at the same time; what becomes of D when B has failed; and on HTCondor DAGMan, a job that submits jobs,
 * and its rescue file, from which it would go on after the repair.
 */
import { posix } from 'node:path'
import { example } from '@repo/common/example/example'
import { number, oneOf } from '@repo/common/example/options'
import { milliseconds, table } from '@repo/common/output/terminal'
import { type DagJob, type DagRecord, runDag } from '../src/cluster/dag.ts'
import { drawDag, graph } from '../src/cluster/dag-pictures.ts'
import { clusterOptions, openChosenCluster } from '../src/cluster/options.ts'
import { workFolder } from '../src/cluster/work-folder.ts'
import { jobFiles } from '../src/scheduler/job.ts'

const last = 100_000
/** How long each one takes beside its work, so that one can watch; and how it fails, if it shall. */
const frame = (work: string) => `sleep "$1"; if [ "$2" = fail ]; then echo "told to fail" >&2; exit 3; fi; ${work}`
const works = {
  A: `awk 'BEGIN { for (i = 1; i <= ${last}; i++) print i }' >numbers`,
  B: `awk '$1 % 2 == 1 { sum += $1 } END { printf "%.0f\\n", sum }' numbers >odd`,
  C: `awk '$1 % 2 == 0 { sum += $1 } END { printf "%.0f\\n", sum }' numbers >even`,
  D: `cat odd even | awk '{ sum += $1 } END { printf "%.0f\\n", sum }'`,
}
const parents = { A: [], B: ['A'], C: ['A'], D: ['B', 'C'] } as const
const reads = { A: [], B: ['numbers'], C: ['numbers'], D: ['odd', 'even'] } as const
const names = ['A', 'B', 'C', 'D'] as const

export default example(import.meta, {
  options: {
    ...clusterOptions,
    fail: oneOf(...names)
      .optional()
      .describe('the job that fails'),
    seconds: number(0, 3600).default(2).describe('how long each job takes beside its work'),
  },
  quick: { seconds: 0.5 },

  async run({ fail, seconds, ...choice }, { signal, print, picture }) {
    await using cluster = await openChosenCluster(choice)
    await using folder = await workFolder(cluster, 'dag')
    const { connection, dialect } = cluster
    print(`A diamond of four jobs on ${cluster.name}, by ${dialect.title}.`, '')
    const jobs: DagJob[] = names.map((name) => ({
      parents: [...parents[name]],
      job: {
        name,
        command: ['sh', '-c', frame(works[name]), 'sh', String(seconds), name === fail ? 'fail' : 'work'],
        inputs: [...reads[name]],
        resources: { cores: 1, walltimeSeconds: 60 + Math.ceil(seconds) },
      },
    }))

    const records = await runDag(cluster, jobs, {
      folder: folder.path,
      signal,
      onChange: (now) => print(graph(now)),
    })
    const read = async (file: string) =>
      (await connection.readFile(posix.join(folder.path, file), { signal }).catch(() => Buffer.from('')))
        .toString()
        .trim()
    const sum = await read(jobFiles('D').out)
    const rescue = dialect.name === 'htcondor' ? await read('jobs.dag.rescue001') : ''
    const failed = records.find(({ state }) => state === 'failed')
    const result = {
      scheduler: dialect.name,
      host: cluster.name,
      fail,
      ms: Math.max(...records.map(({ endedMs = 0 }) => endedMs)),
      jobs: records,
      result: sum === '' ? undefined : Number(sum),
      expected: (last * (last + 1)) / 2,
      rescue: rescue || undefined,
      error: failed ? await read(jobFiles(failed.name).err) : undefined,
      picture: await picture(
        fail ? 'dag-failed.svg' : 'dag.svg',
        drawDag(records, `${cluster.name}, ${dialect.title}`),
      ),
    }

    const time = (ms: number | undefined) => (ms === undefined ? '' : milliseconds(ms))
    const row = ({ name, id, state, node, startedMs, endedMs, reason }: DagRecord) => [
      name,
      id ?? 'never submitted',
      state,
      node ?? '',
      time(startedMs),
      time(endedMs),
      reason ?? '',
    ]
    print('', table(['', 'job', 'ended as', 'on', 'began', 'ended', 'reason'], records.map(row)), '')
    if (failed) print(`${failed.name} ended with ${failed.exitCode} and wrote: ${result.error}`)
    if (rescue) print('The rescue file:', ...rescue.split('\n').map((line) => `  ${line}`))
    if (result.result !== undefined) print(`The sum of 1 to ${last}, by way of four jobs: ${result.result}`)
    print(`Picture: ${result.picture}`)
    if (!fail && result.result !== result.expected)
      throw new Error(`the sum is ${sum || 'missing'}, not ${result.expected}`)
    return result
  },
  figure: ({ scheduler, jobs, ms }) =>
    `${jobs.filter(({ state }) => state === 'completed').length} of ${jobs.length} jobs of a diamond by ${scheduler} in ${milliseconds(ms)}`,
})

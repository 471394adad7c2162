/**
 * dag: jobs that wait for each other, as a diamond: A, then B and C, then D; and what happens when one of them fails
 *
 *     pnpm --filter 06-hpc start dag
 *     pnpm --filter 06-hpc start dag --fail B
 *     pnpm --filter 06-hpc start dag --seconds 0 --numbers 10000000
 *     pnpm --filter 06-hpc start dag --scheduler htcondor --fail B
 *
 * A writes numbers into a file, B adds the odd ones, C adds the even ones, and D adds the two sums. The scheduler alone
 * decides when a job may begin: the client submits all four at once and could go home.
 *
 * Look for: B and C at the same time; how little time a plain program on one thread needs (the COST); D when B has
 * failed; and on HTCondor DAGMan, a job that submits jobs, and its rescue file, from which it would continue after you
 * fix B.
 */
import { posix } from 'node:path'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { number, oneOf, wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { dependentJobs, drawDag, followDag, graphLine, submitToDagman } from '../src/cluster/dag.ts'
import { clusterOptions, openChosenCluster } from '../src/cluster/options.ts'
import { workFolder } from '../src/cluster/work-folder.ts'
import { type JobDescription, jobFiles, type SubmittedJob } from '../src/scheduler/job.ts'

const worksFor = (last: number) => ({
  A: `awk 'BEGIN { for (i = 1; i <= ${last}; i++) print i }' >numbers`,
  B: `awk '$1 % 2 == 1 { sum += $1 } END { printf "%.0f\\n", sum }' numbers >odd`,
  C: `awk '$1 % 2 == 0 { sum += $1 } END { printf "%.0f\\n", sum }' numbers >even`,
  D: `cat odd even | awk '{ sum += $1 } END { printf "%.0f\\n", sum }'`,
})
type Name = keyof ReturnType<typeof worksFor>
const names = ['A', 'B', 'C', 'D'] as const
const inputs: Record<Name, string[]> = { A: [], B: ['numbers'], C: ['numbers'], D: ['odd', 'even'] }
const parents: Record<Name, Name[]> = { A: [], B: ['A'], C: ['A'], D: ['B', 'C'] }

export default example(import.meta, {
  options: {
    ...clusterOptions,
    fail: oneOf(...names)
      .optional()
      .describe('the job that fails'),
    numbers: wholeNumber(1, 10_000_000).default(100_000).describe('numbers that A writes'),
    seconds: number(0, 3600).default(2).describe('how long each job takes besides its work'),
  },
  quick: { seconds: 0.5 },

  async run({ fail, numbers, seconds, ...choice }, { signal, print, picture }) {
    await using cluster = await openChosenCluster(choice)
    await using folder = await workFolder(cluster, 'dag')
    const { connection, dialect } = cluster
    const works = worksFor(numbers)
    print(`A diamond of four jobs on ${cluster.name}, by ${dialect.title}.`, '')

    // Each job takes its time, so that you can watch, and fails if it was told to.
    const script = 'sleep "$1"; if [ "$2" = fail ]; then echo "told to fail" >&2; exit 3; fi; eval "$3"'
    const jobOf = (name: Name): JobDescription => ({
      name,
      folder: folder.path,
      command: ['sh', '-c', script, 'sh', String(seconds), name === fail ? 'fail' : 'work', works[name]],
      inputs: inputs[name],
      resources: { cores: 1, walltimeSeconds: 60 + Math.ceil(seconds) },
    })

    // #region submit-all
    // For Slurm, PBS and Torque each submission says which jobs have to succeed first. A is held until all others are
    // submitted, because no job can wait for one that has ended and is forgotten.
    async function submitAll() {
      const submit = async (name: Name, more: Partial<JobDescription>) =>
        folder.cancelAtTheEnd(await cluster.submit({ ...jobOf(name), ...more }))
      const after = (...jobs: SubmittedJob[]) => ({
        dependencies: jobs.map(({ id }) => ({ on: id, when: 'ok' as const })),
      })
      const A = await submit('A', { hold: true })
      const B = await submit('B', after(A))
      const C = await submit('C', after(A))
      const D = await submit('D', after(B, C))
      await cluster.release(A)
      return { A, B, C, D }
    }
    // #endregion submit-all
    // HTCondor has DAGMan for this, which takes the whole graph.
    const dag =
      dialect.name === 'htcondor'
        ? await submitToDagman(cluster, folder, names.map(jobOf), parents)
        : dependentJobs(cluster, await submitAll())

    // The client only watches.
    const records = await followDag(dag, parents, { signal, onChange: (now) => print(graphLine(now)) })
    const read = (file: string) => connection.readFile(posix.join(folder.path, file), { signal }).then(String, () => '')
    const sum = (await read(jobFiles('D').out)).trim()
    const rescue = dialect.name === 'htcondor' ? (await read('jobs.dag.rescue001')).trim() : ''
    // The best plain program on one thread needs neither files nor waiting.
    const expected = sumAlone(numbers)
    const serial = () => {
      if (sumAlone(numbers) !== expected) throw new Error('two sums of the same numbers are different')
    }
    const alone = await interleave({ serial }, { signal })
    const failed = records.find(({ state }) => state === 'failed')
    const svg = drawDag(records, `${cluster.name}, ${dialect.title}`)
    const ms = Math.max(...records.map(({ endedMs = 0 }) => endedMs))
    // No more than two of the jobs can ever run at the same time.
    const cost = fail ? undefined : costOf(alone.serial.ms, [{ workers: 2, ms }])
    const result = {
      scheduler: dialect.name,
      host: cluster.name,
      fail,
      numbers,
      ms,
      ...cost,
      jobs: records,
      result: sum === '' ? undefined : Number(sum),
      expected,
      rescue: rescue || undefined,
      error: failed ? (await read(jobFiles(failed.name).err)).trim() : undefined,
      picture: await picture(fail ? 'dag-failed.svg' : 'dag.svg', svg),
    }

    const time = (ms: number | undefined) => (ms === undefined ? '' : milliseconds(ms))
    const rows = records.map(({ name, id = 'never submitted', state, node = '', startedMs, endedMs, reason = '' }) => {
      return [name, id, state, node, time(startedMs), time(endedMs), reason]
    })
    print('', table(['', 'job', 'ended as', 'on', 'began', 'ended', 'reason'], rows), '')
    if (failed) print(`${failed.name} ended with ${failed.exitCode} and wrote: ${result.error}`)
    if (rescue) print('The rescue file:', ...rescue.split('\n').map((line) => `  ${line}`))
    if (result.result !== undefined)
      print(`The sum of 1 to ${count(numbers)}, by way of four jobs: ${count(result.result)}`)
    if (cost) {
      const waited = seconds > 0 ? ` Each job waited ${seconds} s besides its work.` : ''
      print(`${describeCost(cost, 'jobs at a time')}${waited}`)
    }
    print(`Picture: ${result.picture}`)
    if (!fail && result.result !== result.expected) {
      throw new Error(`the sum is ${sum || 'missing'}, not ${result.expected}`)
    }
    return result
  },
  figure: ({ scheduler, jobs, ms, cost }) =>
    `${jobs.filter(({ state }) => state === 'completed').length} of ${howMany(jobs.length, 'job')} of a diamond by ${scheduler} in ${milliseconds(ms)}${cost ? `; COST ${cost}` : ''}`,
})

/** What the four jobs compute together, number by number: a formula would know the data in advance. */
function sumAlone(last: number): number {
  let [odd, even] = [0, 0]
  for (let number = 1; number <= last; number += 2) odd += number
  for (let number = 2; number <= last; number += 2) even += number
  return odd + even
}

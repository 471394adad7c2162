/**
 * submit: one job from its script to its output, each step as you would type it
 *
 *     pnpm --filter 06-hpc start submit
 *     pnpm --filter 06-hpc start submit --scheduler pbs
 *     pnpm --filter 06-hpc start submit --host you@login.cluster.example --cores 4 --walltime 60 -- nproc
 *
 * A job is a shell script whose comments tell the scheduler what it needs, and for how long. The scheduler keeps it in
 * a queue until a node has that much free, and runs it there. Then you read the files that it has left.
 *
 * Look for: the commands of each scheduler, how long the job waited and how long it ran, and where its output is.
 */
import { posix } from 'node:path'
import { example } from '@repo/common/example/example'
import { accepting, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { bold, dim, howMany, milliseconds } from '@repo/common/output/terminal'
import { askUntil } from '../src/cluster/ask-until.ts'
import { clusterOptions, openChosenCluster, viaOption } from '../src/cluster/options.ts'
import { workFolder } from '../src/cluster/work-folder.ts'
import {
  acceptedJobName,
  hasEnded,
  type JobDescription,
  type JobStatus,
  jobFiles,
  jobName,
} from '../src/scheduler/job.ts'
import { CommandError, shown } from '../src/ssh/errors.ts'
import type { Command } from '../src/ssh/quote.ts'

/** Some work: π from the sum of 1/n². */
const workload = `echo "Hello from $(hostname)"
awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) sum += 1 / (i * i); print "pi is about", sqrt(6 * sum) }'`

export default example(import.meta, {
  options: {
    ...clusterOptions,
    via: viaOption,
    name: accepting(acceptedJobName, (text) => (jobName.test(text) ? text : undefined))
      .default('hello')
      .describe('of the job and its files'),
    cores: wholeNumber(1, 100_000).default(1).describe('cores that it asks for'),
    memory: wholeNumber(1, 100_000_000).default(100).describe('memory that it asks for, in MB'),
    walltime: wholeNumber(1, 10_000_000).default(60).describe('seconds after which the scheduler ends it'),
    queue: accepting('the name of a queue', (text) => (/^[A-Za-z][\w.@-]*$/.test(text) ? text : undefined))
      .optional()
      .describe('queue, partition or pool'),
  },
  operands: '[-- PROGRAM [ARGUMENT…]]',

  async run({ name, cores, memory, walltime, queue, ...choice }, { signal, quick, operands, print }) {
    await using cluster = await openChosenCluster(choice)
    await using folder = await workFolder(cluster, 'submit')
    const { connection, dialect } = cluster
    const type = (command: Command) => print('', bold(`$ ${shown(command)}`))
    print(`One job on ${cluster.name}, by ${dialect.title}.`)

    // The job: a program with its arguments, and what it asks for. The dialect turns it into a script.
    const command = operands.length > 0 ? operands : ['sh', '-c', workload, 'sh', quick ? '2000000' : '20000000']
    const resources = { cores, memoryMb: memory, walltimeSeconds: walltime }
    const job: JobDescription = { name, command, folder: folder.path, resources, ...(queue && { queue }) }
    for (const { name: file, text } of dialect.files(job)) {
      type(['cat', file])
      // The practice cluster's home has a long name.
      print(text.trimEnd().replaceAll(cluster.home, '~'))
    }

    // Submits it. A refusal is about the reader's request, and the scheduler's words say which part of it.
    const begun = performance.now()
    const { command: submit } = dialect.submit(job)
    type(submit)
    const submitted = await cluster.submit(job).catch((error) => {
      if (!(error instanceof CommandError)) throw error
      const asked = `${howMany(cores, 'core')}, ${memory} MB, ${walltime} s${queue ? `, queue ${queue}` : ''}`
      throw new UsageError('the job', asked, `what the scheduler accepts, but ${error.message}`)
    })
    folder.cancelAtTheEnd(submitted)
    print(dim(`job ${submitted.id}`))

    // Polls it until it has ended. Once it runs, shows what the scheduler's own list says.
    const seen: (JobStatus & { ms: number })[] = []
    let isListed = false
    using bar = progress('waiting')
    const isLast = async ([status]: JobStatus[]) => {
      bar.update(0, [status?.state, status?.reason].filter(Boolean).join(', '))
      if (status && status.state !== seen.at(-1)?.state) seen.push({ ...status, ms: performance.now() - begun })
      if (!isListed && status?.state === 'running') {
        isListed = true
        type(dialect.list(submitted))
        const { stdout, stderr } = await connection.run(dialect.list(submitted), { repeatable: true, signal })
        print((stdout || stderr).trimEnd())
      }
      return status !== undefined && hasEnded(status.state)
    }
    await askUntil(() => cluster.poll([submitted]), isLast, { signal, everyMs: 200 })

    // Reads the files that it has left.
    const files = jobFiles(name)
    const read = (file: string) => connection.readFile(posix.join(folder.path, file), { signal }).then(String, () => '')
    const [stdout, stderr] = [await read(files.out), await read(files.err)]
    for (const [file, text] of [[files.out, stdout] as const, [files.err, stderr] as const]) {
      if (text === '') continue
      type(['cat', file])
      print(text.trimEnd())
    }
    const last = seen.at(-1)
    const steps = seen.map(({ state, ms, node, reason }) => {
      const details = [node && `on ${node}`, reason && dim(reason)].filter(Boolean).join(', ')
      return `${milliseconds(ms).padStart(9)}  ${state}${details && `, ${details}`}`
    })
    print('', ...steps, `Exit code ${last?.exitCode ?? 'unknown'}.`)
    return {
      scheduler: dialect.name,
      host: cluster.name,
      job: submitted.id,
      command: shown(submit),
      states: seen.map(({ state, ms, node }) => ({ state, ms, node })),
      state: last?.state,
      exitCode: last?.exitCode,
      reason: last?.reason,
      stdout,
      stderr,
    }
  },
  figure: ({ scheduler, state, states }) =>
    `one job by ${scheduler}: ${state} after ${milliseconds(states.at(-1)?.ms ?? 0)}`,
})

/**
 * rest: the same array by Slurm's commands and over REST, on a real Slurm of this machine: do both say the same?
 *
 *     pnpm --filter 06-hpc start rest
 *
 * It starts Slurm with two nodes, slurmdbd with MariaDB for its accounting, and slurmrestd, all on this machine and for
 * as long as it runs. Five tasks are submitted by sbatch, by a request on slurmrestd's socket, and by one with a token.
 * Task 0 completes. The others fail, each in its own way, and the last one is cancelled.
 *
 * Look for: whether all ways have the same states and exit codes; how many requests that takes, and how long the answers
 * are; and what accounting says about the same exit codes, by sacct and in JSON.
 */
import { example } from '@repo/common/example/example'
import { progress } from '@repo/common/output/progress'
import { bytes, table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { z } from 'zod'
import { askUntil } from '../src/cluster/ask-until.ts'
import { type Cluster, openCluster } from '../src/cluster/cluster.ts'
import { findAccounting } from '../src/real/accounting.ts'
import { findRealCluster, installAccountingAndRest, installRealCluster, startRealCluster } from '../src/real/cluster.ts'
import { findRest } from '../src/real/rest.ts'
import { hasEnded } from '../src/scheduler/job.ts'
import type { Command } from '../src/ssh/quote.ts'

const faults = 'case $TASK_ID in 1) exit 3 ;; 2) kill -KILL $$ ;; 3) exec no-such-program ;; 4) exec sleep 600 ;; esac'
const tasks = [0, 1, 2, 3, 4]
const cancelled = 4

export default example(import.meta, {
  options: {},

  async run(_, { signal, print }) {
    if (!(await findRealCluster())) throw new Error(`Slurm or OpenSSH is missing: ${installRealCluster}`)
    if (!(await findAccounting()) || !(await findRest())) {
      throw new Error(`slurmdbd, MariaDB or slurmrestd is missing: ${installAccountingAndRest}`)
    }
    using bar = progress('starting Slurm, its database and slurmrestd')
    await using real = await startRealCluster({ cores: 4, accounting: true, rest: true, signal })
    const { socket = '', port = '' } = real.slurm.rest ?? {}

    // The same array by each way.
    await using stack = new AsyncDisposableStack()
    const ways: ({ way: string; cluster: Cluster } & Awaited<ReturnType<typeof runArray>>)[] = []
    for (const [way, via] of Object.entries({ commands: 'commands', socket, token: port })) {
      const cluster = stack.use(await openCluster({ host: real.host, configFile: real.configFile, via, signal }))
      bar.update(0, cluster.dialect.title)
      ways.push({ way, cluster, ...(await runArray(cluster, way, signal)) })
    }
    const [first, second] = ways
    if (!first || !second) throw new Error('no way to talk to Slurm')

    // What the database says about one of these arrays, by sacct and in JSON. It lags behind, so wait for all of them.
    bar.update(0, 'accounting')
    const run = async (command: Command, { cluster } = first) =>
      (await cluster.connection.run(command, { repeatable: true, signal })).stdout
    const ids = ways.map(({ job }) => job.id).join()
    const ended = /^(\d+)_(\d+)\|(COMPLETED|FAILED|CANCELLED).*\|(\S+)$/gm
    const rows = await askUntil(
      async () => [
        ...(await run(['sacct', '-X', '-n', '--parsable2', `--jobs=${ids}`, '--format=JobID,State,ExitCode'])).matchAll(
          ended,
        ),
      ],
      (all) => all.length === ways.length * tasks.length,
      { everyMs: 200, signal },
    )
    const url = `http://localhost/slurmdb/v0.0.38/job/${second.job.id}`
    const json = await run(['curl', '-sS', '--unix-socket', socket.replace('unix:', ''), url])
    const { jobs } = accountedSchema.parse(JSON.parse(json))
    const accounting = tasks.map((task) => {
      const [, , , state = '', sacct = ''] = rows.find(([, id, of]) => id === second.job.id && of === `${task}`) ?? []
      const { status = '', return_code: code } = jobs.find(({ array }) => array.task_id === task)?.exit_code ?? {}
      return { task, state, sacct, json: code == null ? status : `${status} ${code}` }
    })

    // One poll, with accounting.
    const lengths = await Promise.all(
      ways.map(async (way) => (await run(way.cluster.dialect.poll([way.job]).command)).length),
    )
    const same = ways.every(({ answers }) => JSON.stringify(answers) === JSON.stringify(first.answers))
    print(
      table(
        ['task', 'by commands', 'over the socket', 'with a token', 'in sacct', "in accounting's JSON"],
        accounting.map(({ task, state, sacct, json }) => [
          task,
          ...ways.map(({ answers }) => answers[task] ?? ''),
          `${state} ${sacct}`,
          json,
        ]),
      ),
      '',
      same ? 'All ways say the same.' : 'The ways differ.',
      `Each took one submission. One poll of all tasks returns ${lengths.map(bytes).join(', ')}.`,
    )
    return {
      ways: ways.map(({ way, cluster, answers }, at) => ({
        way,
        answers,
        submissions: cluster.commands.submit,
        pollBytes: lengths[at] ?? Number.NaN,
      })),
      same,
      accounting,
    }
  },
  figure: ({ same, ways }) => `${ways.length} ways to talk to Slurm ${same ? 'say the same' : 'differ'}`,
})

/** Runs the array, and returns for each task how it ended: its state, and its exit code if it has one. */
async function runArray(cluster: Cluster, way: string, signal: AbortSignal) {
  const command = ['sh', '-c', faults]
  const job = await cluster.submit({ name: 'faults', command, array: tasks, folder: `${cluster.home}/${way}` })
  const whenLeft = (most: number) =>
    askUntil(
      () => cluster.poll([job]),
      (all) => all.filter(({ state }) => !hasEnded(state)).length <= most,
      { everyMs: 200, signal },
    )
  await whenLeft(1)
  await cluster.cancel(job, [cancelled])
  const statuses = await whenLeft(0)
  return {
    job,
    answers: statuses.map(({ state, exitCode }) => (exitCode === undefined ? state : `${state}, ${exitCode}`)),
  }
}

const accountedSchema = z.object({
  jobs: z.array(
    z.object({
      array: z.object({ task_id: z.number() }),
      exit_code: z.object({ status: z.string(), return_code: z.number().nullish() }),
    }),
  ),
})

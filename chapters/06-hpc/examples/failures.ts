/**
 * failures: four of a hundred tasks fail, each in its own way: they are found, explained by what they left, and run
 * again
 *
 *     pnpm --filter 06-hpc start failures
 *     pnpm --filter 06-hpc start failures --retry
 *     pnpm --filter 06-hpc start failures --host you@login.cluster.example --walltime 60 --retry
 *
 * Task 13 throws, task 42 exits with 2, task 66 never ends and runs into its walltime, and task 77 is killed. In a
 * second attempt they behave, like tasks whose faults have been fixed. With --retry these four, and no others, get one.
 *
 * Look for: what the scheduler knows about each failure, and what only the log knows; and the sum at the end: together
 * the tasks count the primes below a million, of which there are 78,498.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, howMany, table } from '@repo/common/output/terminal'
import { board, completed, explain, summary } from '../src/cluster/board.ts'
import { clusterOptions, nodeOption, openChosenCluster, viaOption } from '../src/cluster/options.ts'
import { createRun } from '../src/cluster/run.ts'
import { bundleFor } from '../src/work/bundles.ts'

const tasks = 100
const numbersPerTask = 10_000
const faults = { 13: 'throws', 42: 'exits', 66: 'hangs', 77: 'killed' }

export default example(import.meta, {
  options: {
    ...clusterOptions,
    via: viaOption,
    retry: flag().describe('submits the failed tasks again, and nothing else'),
    walltime: wholeNumber(1, 86_400).default(8).describe('seconds for each task; Slurm rounds them up to minutes'),
    node: nodeOption,
  },
  quick: { walltime: 3 },

  async run({ retry, walltime, node, ...choice }, { signal, print }) {
    await using cluster = await openChosenCluster(choice)
    const plan = {
      name: 'failures',
      command: [node, 'faulty.mjs'],
      array: Array.from({ length: tasks }, (_, task) => task),
      environment: { SIZE: String(numbersPerTask), FAULTS: JSON.stringify(faults) },
      resources: { cores: 1, walltimeSeconds: walltime },
    }
    const run = await createRun(cluster, plan, { inputs: await bundleFor('faulty') })
    print(
      `${howMany(tasks, 'task')} on ${cluster.name} by ${cluster.dialect.title}, each with a walltime of ${walltime} s.`,
    )

    using bar = progress('submitting', tasks)
    const follow = () =>
      run.follow({ signal, onPoll: (all) => bar.update(completed(all), summary(all), board(all, 50)) })
    try {
      // Finds the failures: the scheduler and the exit-code files say which tasks have not completed.
      await run.start(signal)
      const failed = (await follow()).filter(({ state }) => state !== 'completed')

      // Explains them, by the last lines of their logs, which one command reads.
      const logs = await run.lastLines(failed)
      const failures = failed.map((record) => {
        const { task, state, exitCode, signal: endedBy, node: where } = record
        const log = logs.get(task) ?? ''
        return { task, state, exitCode, signal: endedBy, node: where, why: explain(record, log), log }
      })
      const rows = failures.map(({ task, state, exitCode = '', node: where = '', why }) => {
        return [task, state, exitCode, where, why]
      })
      print('', table(['task', 'state', 'exit code', 'node', 'why'], rows), '')

      // Submits only the failed tasks again, as one job.
      if (retry && failed.length > 0) {
        await run.resubmit(failed.map(({ task }) => task))
        await follow()
      }

      // Adds up the results of the tasks that have completed.
      const finished = run.tasks.filter(({ state }) => state === 'completed')
      const names = finished.map(({ task }) => `primes.${task}.txt`)
      const results = await run.fetch(names, signal)
      const counts = await Promise.all(names.map(async (name) => Number(await readFile(join(results, name), 'utf8'))))
      const primes = counts.reduce((sum, each) => sum + each, 0)
      await run.remove()

      const rest = tasks - finished.length
      print(
        retry ? `Submitted again: ${failed.map(({ task }) => task).join(', ')}, as job ${run.ids.at(-1)}.` : '',
        `${howMany(finished.length, 'task')} completed, ${rest} did not. They count ${count(primes)} primes below ${count(tasks * numbersPerTask)}${rest > 0 ? ', those of the failed tasks missing' : ', which is all of them'}.`,
      )
      return {
        scheduler: cluster.dialect.name,
        host: cluster.name,
        tasks,
        completed: finished.length,
        failures,
        resubmitted: run.resubmitted,
        submitCommands: cluster.commands.submit,
        pollCommands: cluster.commands.poll,
        primes,
      }
    } catch (error) {
      await run.abandon(signal)
      throw error
    }
  },
  figure: ({ failures, completed, resubmitted }) =>
    `${failures.length} failures explained, ${howMany(resubmitted, 'task')} done again, ${completed} completed`,
})

/**
 * array: one study cut into tasks, as an array of jobs: all pairs of State of the Union addresses, or the Mandelbrot set
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 06-hpc start array
 *     pnpm --filter 06-hpc start array --tasks 200 --job mandelbrot
 *     pnpm --filter 06-hpc start array --host you@login.cluster.example --scheduler slurm
 *
 * and after the client, or its machine, has died (the jobs have not):
 *
 *     pnpm --filter 06-hpc start array --attach out/06-hpc/runs/…
 *
 * The program and its data travel once, as one folder. Then there is one submission, however many tasks, and one command
 * for each look at all of them. Results come down as they are finished.
 *
 * Look for: how many commands it took; that the result is the one of this machine alone, to the last bit; and how long that
 * took: an array pays when a task takes minutes.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example } from '@repo/common/example/example'
import { oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { board, completed, summary } from '../src/cluster/board.ts'
import { bundleFor } from '../src/cluster/bundles.ts'
import { clusterOptions, nodeOption, openChosenCluster } from '../src/cluster/options.ts'
import { attachRun, createRun, findRunToAttach, newRunFolder } from '../src/cluster/run.ts'
import { drawStudy, prepareStudy } from '../src/work/studies.ts'
import { computeWhole, filesOf, partsAtMost, type Study, studyNames } from '../src/work/study.ts'

export default example(import.meta, {
  options: {
    ...clusterOptions,
    job: oneOf(...studyNames)
      .default('similarity')
      .describe('what is computed'),
    tasks: wholeNumber(1, 10_000).default(40).describe('into how many tasks it is cut'),
    node: nodeOption,
    attach: path('the folder of a run').optional().describe('goes on with a run whose client has died'),
  },
  quick: { tasks: 8 },

  async run({ job, tasks, node, attach, ...choice }, { signal, print, picture }) {
    const begun = attach === undefined ? undefined : await findRunToAttach(attach)
    const plan = (begun?.notes as { job: Study['job']; tasks: number } | undefined) ?? { job, tasks }
    const study = prepareStudy(plan.job)
    if (plan.tasks > partsAtMost(study)) {
      throw new UsageError('--tasks', tasks, `1 to ${count(partsAtMost(study))} for ${plan.job}`)
    }
    await using cluster = await openChosenCluster({ ...choice, ...begun?.place })
    const start = performance.now()
    const run = attach
      ? await attachRun(attach, cluster)
      : await createRun(
          newRunFolder('array'),
          cluster,
          {
            name: 'array',
            command: [node, 'study.mjs'],
            array: Array.from({ length: plan.tasks }, (_, task) => task),
            environment: { TASKS: String(plan.tasks) },
            requeue: true,
          },
          { host: choice.host, inputs: { ...filesOf(study), ...(await bundleFor('study')) }, notes: plan },
        )
    print(
      `${count(plan.tasks)} tasks on ${cluster.name} by ${cluster.dialect.title}.`,
      ...(choice.host ? [`Should this program die, go on with: ${comeBack(run.folder, choice.sshConfig)}`] : []),
    )

    using bar = progress('submitting', plan.tasks)
    const partOf = (task: number) => `part.${task}.bin`
    const fetched = new Set<number>()
    try {
      await run.start(signal)
      await run.complete({
        attempts: 3,
        signal,
        async onPoll(all) {
          bar.update(completed(all), summary(all), board(all))
          const finished = all.filter(({ state, task }) => state === 'completed' && !fetched.has(task))
          await run.fetch(
            finished.map(({ task }) => partOf(task)),
            signal,
          )
          for (const { task } of finished) fetched.add(task)
        },
      })
    } catch (error) {
      // Ctrl-C leaves nothing running. A client that is killed has no time for that: its jobs go on, and wait for --attach.
      await run.abandon(signal, { keep: error })
      throw error
    }
    const results = await run.fetch([])
    const parts = await Promise.all(run.tasks.map(({ task }) => readFile(join(results, partOf(task)))))
    const whole = new Uint8Array(Buffer.concat(parts))
    const ms = performance.now() - start

    const local = await computeWhole(study, signal)
    if (Buffer.compare(whole, local.whole) !== 0)
      throw new Error('the cluster and this machine disagree about the result')
    const drawn = drawStudy(study, whole)
    const result = {
      scheduler: cluster.dialect.name,
      host: cluster.name,
      tasks: plan.tasks,
      completed: completed(run.tasks),
      failed: plan.tasks - completed(run.tasks),
      resubmitted: run.resubmitted,
      submitCommands: cluster.commands.submit,
      pollCommands: cluster.commands.poll,
      ms,
      localMs: local.ms,
      result: drawn.result,
      picture: await picture(drawn.name, drawn.content),
    }
    await run.remove()
    print(
      `All done in ${milliseconds(ms)}: ${count(result.submitCommands)} command to submit, ${count(result.pollCommands)} to look, ${result.resubmitted} tasks submitted again.`,
      `On one core of this machine, without a cluster: ${milliseconds(local.ms)}, and the same result.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ tasks, scheduler, pollCommands }) => `${count(tasks)} tasks on ${scheduler}, ${count(pollCommands)} polls`,
})

const comeBack = (folder: string, sshConfig?: string) =>
  ['--attach', folder, ...(sshConfig ? ['--ssh-config', sshConfig] : [])].join(' ')

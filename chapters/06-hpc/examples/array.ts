/**
 * array: one study cut into tasks, as an array of jobs: all pairs of addresses, or the Mandelbrot set
 *
 *     pnpm --filter 06-hpc start array
 *     pnpm --filter 06-hpc start array --tasks 200 --job mandelbrot
 *     pnpm --filter 06-hpc start array --host you@login.cluster.example --scheduler slurm
 *     pnpm --filter 06-hpc start array --attach out/06-hpc/runs/…     # after the client has died; the jobs have not
 *
 * The program and its data are copied once. Any number of tasks takes one command to submit, and one command for each
 * poll of all of them. Results are fetched as tasks complete.
 *
 * Look for: the number of commands; that the result is the same as on this machine alone, to the last bit; and how long
 * this machine alone took: an array pays when a task takes minutes.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example } from '@repo/common/example/example'
import { oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { board, completed, summary } from '../src/cluster/board.ts'
import { clusterOptions, nodeOption, openChosenCluster } from '../src/cluster/options.ts'
import { attachRun, createRun, findRunToAttach, type TaskRecord } from '../src/cluster/run.ts'
import { bundleFor } from '../src/work/bundles.ts'
import { computeWhole, drawStudy, filesOf, partsAtMost, prepareStudy, studyNames } from '../src/work/study.ts'

export default example(import.meta, {
  options: {
    ...clusterOptions,
    job: oneOf(...studyNames)
      .default('similarity')
      .describe('what is computed'),
    tasks: wholeNumber(1, 10_000).default(40).describe('the number of tasks to cut it into'),
    node: nodeOption,
    attach: path('the folder of a run').optional().describe('continues a run whose client has died'),
  },
  quick: { tasks: 8 },

  async run({ job, tasks, node, attach, ...choice }, { signal, print, picture }) {
    const begun = attach === undefined ? undefined : await findRunToAttach(attach)
    const notes = { job, tasks, ...begun?.notes }
    const study = prepareStudy(notes.job)
    const most = partsAtMost(study)
    if (notes.tasks > most) throw new UsageError('--tasks', tasks, `1 to ${count(most)} for ${notes.job}`)
    await using cluster = await openChosenCluster({ ...choice, ...begun?.place })
    const start = performance.now()

    // The array: one job that runs its command once for each task number, with the number in TASK_ID.
    const plan = {
      name: 'array',
      command: [node, 'study.mjs'],
      array: Array.from({ length: notes.tasks }, (_, task) => task),
      environment: { TASKS: `${notes.tasks}` },
      requeue: true,
    }
    const inputs = { ...filesOf(study), ...(await bundleFor('study')) }
    const run = attach ? await attachRun(attach, cluster) : await createRun(cluster, plan, { inputs, notes })
    print(`${count(notes.tasks)} tasks on ${cluster.name} by ${cluster.dialect.title}.`)
    const config = choice.sshConfig ? ` --ssh-config ${choice.sshConfig}` : ''
    if (cluster.host) print(`If this program dies, go on with: --attach ${run.folder}${config}`)

    // Submits it, polls all tasks at once, fetches the parts that are complete, and submits failed tasks again.
    using bar = progress('submitting', notes.tasks)
    const partOf = ({ task }: TaskRecord) => `part.${task}.bin`
    const fetched = new Set<string>()
    const onPoll = async (all: readonly TaskRecord[]) => {
      bar.update(completed(all), summary(all), board(all))
      const parts = all.filter(({ state }) => state === 'completed').map(partOf)
      const missing = parts.filter((part) => !fetched.has(part))
      await run.fetch(missing, signal)
      for (const part of missing) fetched.add(part)
    }
    try {
      await run.start(signal)
      await run.complete({ attempts: 3, signal, onPoll })
    } catch (error) {
      // Ctrl-C leaves nothing running. The jobs of a killed client go on, and wait for --attach.
      await run.abandon(signal, { keep: error })
      throw error
    }
    const results = await run.fetch([])
    const parts = await Promise.all(run.tasks.map((record) => readFile(join(results, partOf(record)))))
    const whole = new Uint8Array(Buffer.concat(parts))
    const ms = performance.now() - start

    // The same computation on this machine alone.
    const local = await computeWhole(study, signal)
    if (Buffer.compare(whole, local.whole) !== 0) throw new Error('the cluster and this machine have different results')
    const drawn = drawStudy(study, whole)
    const result = {
      scheduler: cluster.dialect.name,
      host: cluster.name,
      tasks: notes.tasks,
      completed: completed(run.tasks),
      failed: notes.tasks - completed(run.tasks),
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
      `All done in ${milliseconds(ms)}: ${count(result.submitCommands)} command to submit, ${count(result.pollCommands)} to poll, ${result.resubmitted} tasks submitted again.`,
      `On one core of this machine, without a cluster: ${milliseconds(local.ms)}, and the same result.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ tasks, scheduler, pollCommands }) => `${count(tasks)} tasks on ${scheduler}, ${count(pollCommands)} polls`,
})

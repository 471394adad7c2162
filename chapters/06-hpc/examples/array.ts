/**
 * array: one study cut into tasks, as an array of jobs: all pairs of addresses, or the Mandelbrot set
 *
 *     pnpm --filter 06-hpc start array
 *     pnpm --filter 06-hpc start array --growth
 *     pnpm --filter 06-hpc start array --tasks 200 --job mandelbrot
 *     pnpm --filter 06-hpc start array --host you@login.cluster.example --scheduler slurm
 *     pnpm --filter 06-hpc start array --attach out/06-hpc/runs/…     # after the client has died; the jobs have not
 *
 * The program and its data are copied once. Any number of tasks takes one command to submit, and one command for each
 * poll of all of them. Results are fetched as tasks complete.
 *
 * Look for: the number of commands; that the answer is the same as that of the best program on one thread, to the last
 * bit; and the COST. With --growth: the size from which on an array is faster.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { costOf, type Growth, growthSlope, paysFrom } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { interleave } from '@repo/common/measure'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table, times } from '@repo/common/output/terminal'
import { board, completed, summary } from '../src/cluster/board.ts'
import type { Cluster } from '../src/cluster/cluster.ts'
import { clusterOptions, nodeOption, openChosenCluster, viaOption } from '../src/cluster/options.ts'
import { attachRun, createRun, findRunToAttach, type Run, type TaskRecord } from '../src/cluster/run.ts'
import {
  answerAlone,
  drawAnswer,
  type JobName,
  jobNames,
  mostTasks,
  prepare,
  putTogether,
  type Question,
  questionOf,
  questionsOfSizes,
} from '../src/work/answers.ts'
import { bundleFor } from '../src/work/bundles.ts'
import { filesOf } from '../src/work/study.ts'

export default example(import.meta, {
  options: {
    ...clusterOptions,
    via: viaOption,
    job: oneOf(...jobNames)
      .default('similarity')
      .describe('what is computed'),
    tasks: wholeNumber(1, 10_000).default(40).describe('the number of tasks to cut it into'),
    growth: flag().describe('also measures at which size an array is faster than one thread'),
    node: nodeOption,
    attach: path('the folder of a run').optional().describe('continues a run whose client has died'),
  },
  quick: { tasks: 8 },

  async run({ job, tasks, growth, node, attach, ...choice }, { signal, quick, print, picture }) {
    const begun = attach === undefined ? undefined : await findRunToAttach(attach)
    const notes = { job, tasks, ...begun?.notes }
    const question = questionOf(notes.job)
    const most = mostTasks(question)
    if (notes.tasks > most) throw new UsageError('--tasks', tasks, `1 to ${count(most)} for ${notes.job}`)
    await using cluster = await openChosenCluster({ ...choice, ...begun?.place })

    // The whole job by the cluster: from the texts in memory to the table of their scores.
    using bar = progress('submitting', notes.tasks)
    const byArray = await runArray(question, cluster, {
      tasks: notes.tasks,
      node,
      begun: attach === undefined ? undefined : { folder: attach, at: Number(begun?.notes.begunAt) },
      signal,
      onRun({ folder }) {
        print(`${howMany(notes.tasks, 'task')} on ${cluster.name} by ${cluster.dialect.title}.`)
        const config = choice.sshConfig ? ` --ssh-config ${choice.sshConfig}` : ''
        if (cluster.host) print(`If this program dies, go on with: --attach ${folder}${config}`)
      },
      onPoll: (all) => bar.update(completed(all), summary(all), board(all)),
    })

    // As many tasks as the cluster has cores can run at a time. Some sites do not say how many there are.
    const cores = await cluster.nodes().then(
      (nodes) => nodes.reduce((sum, node) => sum + node.cores, 0),
      () => notes.tasks,
    )

    // The same by the best plain program on one thread of this machine.
    const alone = await interleave(
      { serial: async () => requireSame(byArray.whole, await answerAlone(question, signal)) },
      { rounds: quick ? 1 : 3, signal },
    )
    const cost = costOf(alone.serial.ms, [{ workers: Math.min(notes.tasks, cores), ms: byArray.ms }])
    const grown = growth && !quick ? await measureGrowth(notes.job, cluster, node, signal) : undefined

    const drawn = drawAnswer(question, byArray.whole)
    const growthPicture =
      grown &&
      (await picture('array-growth.svg', drawGrowth('An array of jobs and one thread', grown.what, grown.ways)))
    const result = {
      scheduler: cluster.dialect.name,
      host: cluster.name,
      tasks: notes.tasks,
      cores,
      completed: byArray.completed,
      failed: notes.tasks - byArray.completed,
      resubmitted: byArray.resubmitted,
      submitCommands: byArray.submitCommands,
      pollCommands: byArray.pollCommands,
      ms: byArray.ms,
      ...cost,
      growth: grown && { ...grown, picture: growthPicture },
      result: drawn.result,
      picture: await picture(drawn.name, drawn.content),
    }
    print(
      `All done in ${milliseconds(result.ms)}: ${howMany(result.submitCommands, 'command')} to submit, ${count(result.pollCommands)} to poll, ${howMany(result.resubmitted, 'task')} submitted again.`,
      `${describeCost(cost, 'cores of the cluster')} The answer is the same.`,
    )
    if (grown) {
      const rows = grown.sizes.map(({ size, bestSerialMs, runs, cost }) => {
        return [count(size), milliseconds(bestSerialMs), ...runs.map(({ ms }) => milliseconds(ms)), cost]
      })
      const slopes = Object.entries(grown.ways).map(([way, points]) => `${growthSlope(points).toFixed(2)} (${way})`)
      const pays = paysFrom(grown.sizes)
      const first = pays && pays.bestSerialMs / Math.min(...pays.runs.map(({ ms }) => ms))
      print(
        '',
        table([grown.what, 'one thread', ...growthTasks.map((tasks) => `${tasks} tasks`), 'COST'], rows),
        '',
        pays
          ? `An array pays from ${count(pays.size)} ${grown.what} on: there it is ${times(first ?? 1)} as fast.`
          : 'At none of these sizes does an array pay.',
        `Time grows with the size to the power of ${slopes.join(', ')}.`,
        `Picture: ${growthPicture}`,
      )
    }
    if (typeof cost.cost === 'string') {
      print(
        'What an array is for at this size: data that is on the cluster already, more memory than this machine has, and',
        'an answer that must not be lost when a machine dies.',
      )
    }
    print(`Picture: ${result.picture}`)
    return result
  },
  figure: ({ tasks, scheduler, pollCommands, ms, bestSerialMs, cost }) =>
    `${howMany(tasks, 'task')} on ${scheduler}, ${howMany(pollCommands, 'poll')}, ${milliseconds(ms)}; one thread ${milliseconds(bestSerialMs)}: COST ${cost}`,
})

interface ArrayOptions {
  tasks: number
  node: string
  signal: AbortSignal
  /** A run whose client has died, and when that client began, in ms since 1970. */
  begun?: { folder: string; at: number } | undefined
  onRun?: (run: Run) => void
  onPoll?: (tasks: readonly TaskRecord[]) => void
}

/** Answers a question by an array of jobs, and returns what the whole job took, in ms. */
async function runArray(question: Question, cluster: Cluster, options: ArrayOptions) {
  const { tasks, node, signal, begun, onRun, onPoll } = options
  const begunAt = begun?.at ?? Date.now()
  const before = { ...cluster.commands }

  // #region plan
  // The array: one job that runs its command once for each task number, with the number in TASK_ID.
  const plan = {
    name: 'array',
    command: [node, 'study.mjs'],
    array: Array.from({ length: tasks }, (_, task) => task),
    environment: { TASKS: `${tasks}` },
    requeue: true,
  }
  // #endregion plan
  const notes = { job: question.job, tasks, begunAt }
  const inputs = async () => ({ ...filesOf(prepare(question)), ...(await bundleFor('study')) })
  const run = begun
    ? await attachRun(begun.folder, cluster)
    : await createRun(cluster, plan, { inputs: await inputs(), notes })
  onRun?.(run)

  // Submits it, polls all tasks at once, fetches the parts that are complete, and submits failed tasks again.
  const partOf = ({ task }: TaskRecord) => `part.${task}.bin`
  const fetched = new Set<string>()
  const fetchParts = async (all: readonly TaskRecord[]) => {
    onPoll?.(all)
    const parts = all.filter(({ state }) => state === 'completed').map(partOf)
    const missing = parts.filter((part) => !fetched.has(part))
    await run.fetch(missing, signal)
    for (const part of missing) fetched.add(part)
  }
  try {
    await run.start(signal)
    await run.complete({ attempts: 3, signal, onPoll: fetchParts })
  } catch (error) {
    // Ctrl-C leaves nothing running. The jobs of a killed client go on, and wait for --attach.
    await run.abandon(signal, { keep: error })
    throw error
  }

  // Puts the parts together.
  const results = await run.fetch([])
  const whole = putTogether(question, await Promise.all(run.tasks.map((task) => readFile(join(results, partOf(task))))))
  const ms = Date.now() - begunAt
  const { submit, poll } = cluster.commands
  await run.remove()
  return {
    whole,
    ms,
    completed: completed(run.tasks),
    resubmitted: run.resubmitted,
    submitCommands: submit - before.submit,
    pollCommands: poll - before.poll,
  }
}

function requireSame(byArray: Uint8Array, alone: Uint8Array): void {
  if (Buffer.compare(byArray, alone) !== 0) throw new Error('the cluster and this machine have different answers')
}

/** A single task cannot be faster than one thread: nothing runs at the same time. */
const growthTasks = [2, 4]

/** Times both ways at sizes that span two decades. */
async function measureGrowth(job: JobName, cluster: Cluster, node: string, signal: AbortSignal) {
  const { what, sizes, of } = questionsOfSizes(job)
  const ways: Record<string, Growth[]> = {}
  const measured = []
  using bar = progress('measuring the growth', sizes.length)
  for (const [at, size] of sizes.entries()) {
    bar.update(at, `${count(size)} ${what}`)
    const question = of(size)
    let expected: Uint8Array = new Uint8Array()
    const byArray = (tasks: number) => async () => {
      const { whole, ms } = await runArray(question, cluster, { tasks, node, signal })
      requireSame(whole, expected)
      return ms
    }
    const timed = await interleave<string>(
      {
        'one thread': async () => {
          expected = await answerAlone(question, signal)
        },
        ...Object.fromEntries(growthTasks.map((tasks) => [`${tasks} tasks`, byArray(tasks)])),
      },
      { rounds: 1, signal },
    )
    for (const [way, { ms }] of Object.entries(timed)) ways[way] = [...(ways[way] ?? []), { size, ms }]
    const runs = growthTasks.map((tasks) => ({ workers: tasks, ms: timed[`${tasks} tasks`]?.ms ?? Number.NaN }))
    measured.push({ size, runs, ...costOf(timed['one thread']?.ms ?? Number.NaN, runs) })
  }
  return { what, sizes: measured, ways }
}

/**
 * checkpoint: a job that is longer than its walltime: told to stop, it saves its state and is submitted again
 *
 *     pnpm --filter 06-hpc start checkpoint
 *     pnpm --filter 06-hpc start checkpoint --walltime 6 --warn 2
 *     pnpm --filter 06-hpc start checkpoint --host you@login.cluster.example --below 100000000 --walltime 300 --warn 60
 *
 * The job looks for the number whose Collatz sequence is the longest. Some seconds before its walltime ends it is sent
 * SIGTERM: by the scheduler, or by the job's script where the scheduler cannot; by Slurm up to 60 s early. Then it
 * saves its state atomically (under another name, forced to disk, renamed) and ends with 85, which means: there is more
 * to do (src/work/collatz.program.ts). The same job without a walltime runs beside it.
 *
 * Look for: the number of its lives; what waiting between them costs; and that both jobs find the same number.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { summary } from '../src/cluster/board.ts'
import { clusterOptions, nodeOption, openChosenCluster } from '../src/cluster/options.ts'
import { createRun, type Plan, type Run } from '../src/cluster/run.ts'
import { bundleFor } from '../src/work/bundles.ts'
import { type CollatzState, drawLives, livesOf } from '../src/work/collatz.ts'

/** The exit code of a job that has saved its state and wants to go on. */
const moreToDo = 85
const sigterm = '15'
const mostLives = 200

export default example(import.meta, {
  options: {
    ...clusterOptions,
    below: wholeNumber(1_000, 100_000_000).default(30_000_000).describe('numbers to try'),
    walltime: wholeNumber(2, 86_400).default(6).describe('seconds for each life; Slurm rounds them up to minutes'),
    warn: wholeNumber(1, 86_400).default(2).describe('seconds between the SIGTERM and the end of the walltime'),
    node: nodeOption,
  },
  quick: { below: 8_000_000, walltime: 5, warn: 3 },

  async run({ below, walltime, warn, node, ...choice }, { signal, print, picture }) {
    if (warn >= walltime) throw new UsageError('--warn', warn, `less than the walltime, ${walltime} s`)
    await using cluster = await openChosenCluster(choice)
    const inputs = await bundleFor('collatz')
    const newRun = (name: string, more: Partial<Plan>) => {
      const environment = { BELOW: String(below), NAME: name }
      return createRun(
        cluster,
        { name, command: [node, 'collatz.mjs'], environment, requeue: true, ...more },
        { inputs },
      )
    }

    // Two runs of one program: a job with a walltime that asks for a warning, and a job without a walltime.
    const resources = { cores: 1, walltimeSeconds: walltime }
    const limited = await newRun('limited', { resources, warnSeconds: warn })
    const whole = await newRun('whole', { resources: { cores: 1 } })
    const { title } = cluster.dialect
    print(`A job on ${cluster.name} by ${title}: ${walltime} s at a time, told to stop ${warn} s before.`)

    using bar = progress('computing')
    try {
      await Promise.all([limited.start(signal), whole.start(signal)])
      const inOneGo = whole.follow({ signal })
      inOneGo.catch(() => {})

      // One life of the limited job: follow it to its end, and submit it again while there is more to do.
      for (let life = 1; ; life++) {
        const [job] = await limited.follow({ signal, onPoll: (now) => bar.update(0, `life ${life}: ${summary(now)}`) })
        if (job?.state === 'completed') break
        // It may also have been warned too early or too late, or have lost its node: what it had saved by then still
        // counts.
        const isKilled = job?.state === 'failed' && job.signal === sigterm
        const isLost = job?.state === 'timed out' || job?.state === 'node failed'
        if (!(job?.exitCode === moreToDo || isKilled || isLost) || life === mostLives) {
          const log = job && (await limited.lastLines([job])).get(0)
          throw new Error(`the job ended in its life ${life}: ${job?.state}, exit code ${job?.exitCode}: ${log}`)
        }
        await limited.resubmit([0])
      }
      bar.update(0, 'waiting for the job without a walltime')
      const [other] = await inOneGo
      if (other?.state !== 'completed') {
        throw new Error(`the job without a walltime ended: ${other?.state} ${other?.reason}`)
      }

      // Both have left the same answer, and the limited job the story of its lives.
      const read = async (run: Run, file: string) =>
        JSON.parse(await readFile(join(await run.fetch([file], signal), file), 'utf8')) as CollatzState
      const state = await read(limited, 'limited.json')
      const uninterrupted = await read(whole, 'whole.json')
      await Promise.all([limited.remove(), whole.remove()])
      const { lives, idleMs } = livesOf(state, uninterrupted)
      const answer = ({ best, steps }: CollatzState) => ({ number: best, steps })
      const result = {
        scheduler: cluster.dialect.name,
        host: cluster.name,
        below,
        lives: lives.map((life, at) => ({ job: limited.ids[at], ...life })),
        idleMs,
        result: answer(state),
        uninterrupted: answer(uninterrupted),
        equal: state.best === uninterrupted.best && state.steps === uninterrupted.steps,
        picture: await picture('checkpoint.svg', drawLives(state, uninterrupted)),
      }
      if (!result.equal) throw new Error(`interrupted ${state.best}, uninterrupted ${uninterrupted.best}: not the same`)
      const rows = result.lives.map(({ job = '', from, to, ms }, at) => {
        return [at + 1, job, count(from), count(to), milliseconds(ms)]
      })
      print(
        '',
        table(['life', 'job', 'from', 'to', 'computed for'], rows),
        '',
        `${count(state.best)} takes ${count(state.steps)} steps to 1, more than every other number below ${count(below)}.`,
        `The job without a walltime says the same. Between its lives the other one waited ${milliseconds(idleMs)} in all.`,
        `Picture: ${result.picture}`,
      )
      return result
    } catch (error) {
      await Promise.all([limited, whole].map((run) => run.abandon(signal)))
      throw error
    }
  },
  figure: ({ lives, equal }) =>
    `${lives.length} lives, ${equal ? 'the same result' : 'another result'} as without a stop`,
})

/**
 * ranks: one program in several processes that talk to each other, which the scheduler starts together; with Open MPI
 *
 *     pnpm --filter 06-hpc start ranks
 *     pnpm --filter 06-hpc start ranks --growth
 *     pnpm --filter 06-hpc start ranks --ranks 8 --length 4000000
 *     pnpm --filter 06-hpc start ranks --host you@login.cluster.example
 *
 * Each process learns its rank from its environment, finds its neighbours through the job's folder, and connects to
 * them over TCP. Each runs src/work/ranks.program.ts, whose core is:
 *
 *     using ring = await joinRing({ ...placeIn(process.env), folder, host, node })
 *     await passAround(ring, laps)       // a message of 8 bytes goes round the ring
 *     await allReduce(ring, vector)      // the ranks add up their vectors, and each sends less than two of them
 *
 * Where mpirun and mpi4py exist, Open MPI does the same in the same job: over TCP, and over the transport it chooses.
 *
 * Then the ranks do a whole job: each computes a vector, and all get the sum. One thread does the same.
 *
 * Look for: that the sums agree; how much of a hop is Node's share; and why the times for long vectors are so much
 * closer. The COST, and with --growth: how much work a number must take until it pays to send it.
 */
import { readFile } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { bytes, count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { summary } from '../src/cluster/board.ts'
import { clusterOptions, nodeOption, openChosenCluster } from '../src/cluster/options.ts'
import { createRun, type Plan } from '../src/cluster/run.ts'
import { bundleFor } from '../src/work/bundles.ts'
import { compareJobs, fetchOutcomes, summarize, type Way, ways } from '../src/work/outcomes.ts'

const nodes = 2
export default example(import.meta, {
  options: {
    ...clusterOptions,
    ranks: wholeNumber(2, 256)
      .default(4)
      .describe('processes; rounded up to an even number, half of them on each node'),
    length: wholeNumber(1, 50_000_000).default(1_000_000).describe('numbers in each vector'),
    laps: wholeNumber(1, 1_000_000).default(2_000).describe('how many times the small message goes round'),
    rounds: wholeNumber(1, 50).default(5).describe('how many times everything is done'),
    growth: flag().describe('also measures how much work makes the ranks faster than one thread'),
    node: nodeOption,
  },
  quick: { rounds: 1, laps: 500 },

  async run({ ranks: wanted, length, laps, rounds, growth, node, ...choice }, { signal, quick, print, picture }) {
    const perNode = Math.ceil(wanted / nodes)
    const ranks = perNode * nodes
    await using cluster = await openChosenCluster(choice, { slots: ranks })

    // One job for all ranks. The scheduler gives it all nodes at once, and srun or mpirun starts the ranks (ranks.sh).
    // On HTCondor, jobs on several nodes are a universe of their own, so there all ranks are on one node.
    const isOneNode = cluster.dialect.name === 'htcondor'
    const spread = isOneNode
      ? { nodes: 1, cores: ranks, ranksPerNode: ranks }
      : { nodes, cores: perNode, ranksPerNode: perNode }
    // On a cluster that is this machine, the ranks stay on the loopback interface.
    const isHere = cluster.practice !== undefined || /@(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(cluster.name)
    const place = { HOST: isHere ? '127.0.0.1' : 'own', SAME_MACHINE: isHere ? 'yes' : '' }
    const [RANKS, ROUNDS, LAPS, LENGTH] = [ranks, rounds, laps, length].map(String) as [string, string, string, string]
    // Steps of work for each number of a vector.
    const STEPS = growth && !quick ? '1,3,10,30,100,300' : '1'
    const plan: Plan = {
      name: 'ranks',
      command: ['sh', 'ranks.sh'],
      resources: { ...spread, walltimeSeconds: 600 },
      environment: { RANKS, ROUNDS, LAPS, LENGTH, STEPS, NODE: node, ...place },
    }
    const source = (name: string) => readFile(new URL(`../src/work/${name}`, import.meta.url))
    const scripts = { 'ranks.sh': await source('ranks.sh'), 'ranks.py': await source('ranks.py') }
    const run = await createRun(cluster, plan, { inputs: { ...(await bundleFor('ranks')), ...scripts } })
    print(`${howMany(ranks, 'rank')} on ${cluster.name} by ${cluster.dialect.title} …`)
    using bar = progress('waiting for the job')
    try {
      await run.start(signal)
      const [job] = await run.follow({ signal, onPoll: (now) => bar.update(0, `the job: ${summary(now)}`) })
      if (job?.state !== 'completed') {
        throw new Error(`the job ended: ${job?.state} ${(await run.lastLines(job ? [job] : [])).get(0)}`)
      }

      // Every launch of the ranks has left its measurements, and all sums must agree.
      const outcomes = await fetchOutcomes(run, rounds, signal)
      await run.remove()
      const { sum, figures } = summarize(outcomes, ranks, length)
      const rows = (Object.keys(figures) as Way[]).map((way) => {
        return [ways[way], `${(figures[way]?.hopUs ?? 0).toFixed(1)} µs`, milliseconds(figures[way]?.reduceMs ?? 0)]
      })
      const where = outcomes.ours?.[0]?.nodes ?? []
      print('', table(['', 'from rank to rank', `sum of ${count(ranks)} vectors of ${bytes(8 * length)}`], rows), '')
      print(`Ranks 0 to ${ranks - 1} on ${where.join(', ')}. All sums are ${count(sum)}.`)
      if (!figures.mpi) print('Open MPI is missing: sudo apt-get install openmpi-bin python3-mpi4py')

      // COST: the whole job by the ranks, from the start of their processes, and by the plain program on one thread.
      const { startMs, jobs } = compareJobs(outcomes, ranks)
      const [first] = jobs
      if (!first) throw new Error('the ranks have measured no job')
      const { bestSerialMs, cost } = first
      print(
        '',
        table(
          ['work for each number', 'one thread', howMany(ranks, 'rank'), 'COST'],
          jobs.map(({ steps, bestSerialMs, ms, cost }) => {
            return [howMany(steps, 'step'), milliseconds(bestSerialMs), milliseconds(ms), cost]
          }),
        ),
        '',
        `With 1 step, ${describeCost(first, 'ranks')}`,
        `Of the time of the ranks, ${milliseconds(startMs)} are for starting and connecting them.`,
      )
      const drawn =
        jobs.length > 1
          ? await picture(
              'ranks-growth.svg',
              drawGrowth('Vectors computed and added up', 'steps for each number', {
                'one thread': jobs.map(({ steps, bestSerialMs }) => ({ size: steps, ms: bestSerialMs })),
                [howMany(ranks, 'rank')]: jobs.map(({ steps, ms }) => ({ size: steps, ms })),
              }),
            )
          : undefined
      if (drawn) print(`Picture: ${drawn}`)
      const measured = { ours: figures.ours, openMpi: figures.tcp, openMpiDefault: figures.mpi }
      return {
        scheduler: cluster.dialect.name,
        host: cluster.name,
        ranks,
        nodes: where,
        length,
        laps,
        sum,
        ...measured,
        bestSerialMs,
        cost,
        startMs,
        jobs,
        picture: drawn,
      }
    } catch (error) {
      await run.abandon(signal)
      throw error
    }
  },
  figure: ({ ranks, ours, openMpi, cost }) =>
    `${howMany(ranks, 'rank')}, ${ours?.hopUs.toFixed(0)} µs a hop${openMpi ? `, Open MPI ${openMpi.hopUs.toFixed(0)} µs` : ''}; COST ${cost}`,
})

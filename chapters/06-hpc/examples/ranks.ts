/**
 * ranks: one program on several processes that talk to each other, started together by the scheduler, beside Open MPI
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 06-hpc start ranks
 *     pnpm --filter 06-hpc start ranks --ranks 8 --length 4000000
 *     pnpm --filter 06-hpc start ranks --host you@login.cluster.example
 *
 * Each process learns its rank from its environment, finds its neighbour through the job's folder, and connects by TCP. A
 * message of 8 bytes goes round the ring, and then the ranks add up their vectors, each sending no more than twice its own.
 * Where mpirun and mpi4py are there, the same is done by Open MPI in the same job: over TCP, and by the way it chooses.
 *
 * Look for: that the sums agree; how much of a hop is Node; and why the long vectors are so much closer together.
 */
import { readFile } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { summary } from '../src/cluster/board.ts'
import { bundleFor } from '../src/cluster/bundles.ts'
import { clusterOptions, nodeOption, openChosenCluster } from '../src/cluster/options.ts'
import { createRun, newRunFolder } from '../src/cluster/run.ts'
import { fetchOutcomes, summarize, type Way, ways } from '../src/work/outcomes.ts'

const nodes = 2
export default example(import.meta, {
  options: {
    ...clusterOptions,
    ranks: wholeNumber(2, 256)
      .default(4)
      .describe('processes; rounded up to an even number, half of them on each node'),
    length: wholeNumber(1, 50_000_000).default(1_000_000).describe('numbers in each vector'),
    laps: wholeNumber(1, 1_000_000).default(2_000).describe('how often the small message goes round'),
    rounds: wholeNumber(1, 50).default(5).describe('how often everything is done'),
    node: nodeOption,
  },
  quick: { rounds: 1, laps: 500 },

  async run({ ranks: wanted, length, laps, rounds, node, ...choice }, { signal, print }) {
    const perNode = Math.ceil(wanted / nodes)
    const ranks = perNode * nodes
    await using cluster = await openChosenCluster(choice, { slots: ranks })
    // A cluster that is this machine stays on its loopback interface.
    const isHere = cluster.practice !== undefined || /@(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(cluster.name)
    // HTCondor's jobs of several nodes are a universe of their own: there all ranks are on one.
    const spread = cluster.dialect.name === 'htcondor' ? { nodes: 1, cores: ranks } : { nodes, cores: perNode }
    const source = (name: string) => readFile(new URL(`../src/work/${name}`, import.meta.url))
    const run = await createRun(
      newRunFolder('ranks'),
      cluster,
      {
        name: 'ranks',
        command: ['sh', 'ranks.sh'],
        resources: { ...spread, ranksPerNode: ranks / spread.nodes, walltimeSeconds: 600 },
        environment: {
          RANKS: String(ranks),
          ROUNDS: String(rounds),
          LAPS: String(laps),
          LENGTH: String(length),
          NODE: node,
          HOST: isHere ? '127.0.0.1' : 'own',
          SAME_MACHINE: isHere ? 'yes' : '',
        },
      },
      {
        host: choice.host,
        inputs: {
          ...(await bundleFor('ranks')),
          'ranks.sh': await source('ranks.sh'),
          'ranks.py': await source('ranks.py'),
        },
      },
    )
    print(`${ranks} ranks on ${cluster.name} by ${cluster.dialect.title} …`)
    using bar = progress('waiting for the job')
    try {
      await run.start(signal)
      const [job] = await run.follow({ signal, onPoll: (now) => bar.update(0, `the job: ${summary(now)}`) })
      if (job?.state !== 'completed') {
        throw new Error(`the job ended: ${job?.state} ${(await run.lastLines(job ? [job] : [])).get(0)}`)
      }
      const outcomes = await fetchOutcomes(run, rounds, signal)
      await run.remove()

      const { sum, figures } = summarize(outcomes, ranks, length)
      const result = {
        scheduler: cluster.dialect.name,
        host: cluster.name,
        ranks,
        nodes: outcomes.ours?.[0]?.nodes ?? [],
        length,
        laps,
        sum,
        ours: figures.ours,
        openMpi: figures.tcp,
        openMpiDefault: figures.mpi,
      }
      print(
        '',
        table(
          ['', 'from rank to rank', `sum of ${count(ranks)} vectors of ${bytes(8 * length)}`],
          (Object.keys(figures) as Way[]).map((way) => [
            ways[way],
            `${(figures[way]?.hopUs ?? 0).toFixed(1)} µs`,
            milliseconds(figures[way]?.reduceMs ?? 0),
          ]),
        ),
        '',
        `Ranks 0 to ${ranks - 1} on ${result.nodes.join(', ')}. All sums are ${count(sum)}.`,
        ...(figures.mpi ? [] : ['Open MPI is not there: sudo apt-get install openmpi-bin python3-mpi4py']),
      )
      return result
    } catch (error) {
      await run.abandon(signal)
      throw error
    }
  },
  figure: ({ ranks, ours, openMpi }) =>
    `${ranks} ranks, ${ours?.hopUs.toFixed(0)} µs a hop${openMpi ? `, Open MPI ${openMpi.hopUs.toFixed(0)} µs` : ''}`,
})

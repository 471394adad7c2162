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
import { join } from 'node:path'
import { example } from '@repo/common/example'
import { median } from '@repo/common/measure'
import { accepting, wholeNumber } from '@repo/common/options'
import { progress } from '@repo/common/progress'
import { bytes, count, milliseconds, table } from '@repo/common/terminal'
import { bundleFor } from '../src/bundles.ts'
import { clusterOptions, openChosenCluster } from '../src/cluster-options.ts'
import { createRun, newRunFolder } from '../src/run.ts'

const nodes = 2
const ways = {
  ours: 'our ring in TypeScript, over TCP',
  tcp: 'Open MPI, over TCP',
  mpi: 'Open MPI, as it chooses',
} as const
type Way = keyof typeof ways
interface Outcome {
  size: number
  nodes: string[]
  hopUs: number
  reduceMs: number
  sum: number
}

export default example(import.meta, {
  options: {
    ...clusterOptions,
    ranks: wholeNumber(2, 256)
      .default(4)
      .describe('processes; rounded up to an even number, half of them on each node'),
    length: wholeNumber(1, 50_000_000).default(1_000_000).describe('numbers in each vector'),
    laps: wholeNumber(1, 1_000_000).default(2_000).describe('how often the small message goes round'),
    rounds: wholeNumber(1, 50).default(5).describe('how often everything is done'),
    node: accepting('a program', (text) => text || undefined)
      .default('node')
      .describe('Node on the nodes of the cluster'),
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
    const source = (name: string) => readFile(new URL(`../src/${name}`, import.meta.url))
    const run = await createRun(
      newRunFolder('ranks'),
      cluster,
      {
        name: 'ranks',
        command: ['sh', 'ranks.sh'],
        resources: { ...spread, ranksPerNode: ranks / spread.nodes, walltimeSeconds: 600 },
        environment: {
          ...{ RANKS: String(ranks), ROUNDS: String(rounds), LAPS: String(laps), LENGTH: String(length), NODE: node },
          ...{ HOST: isHere ? '127.0.0.1' : 'own', SAME_MACHINE: isHere ? 'yes' : '' },
        },
      },
      {
        host: choice.host,
        inputs: {
          ...(await bundleFor('ranks')),
          ...{ 'ranks.sh': await source('ranks.sh'), 'ranks.py': await source('ranks.py') },
        },
      },
    )
    print(`${ranks} ranks on ${cluster.name} by ${cluster.dialect.title} …`)
    using bar = progress('waiting for the job')
    try {
      await run.start(signal)
      const [job] = await run.follow({ signal, onPoll: ([now]) => bar.update(0, `the job is ${now?.state}`) })
      if (job?.state !== 'completed') {
        throw new Error(`the job ended: ${job?.state} ${(await run.lastLines(job ? [job] : [])).get(0)}`)
      }
      const all = Array.from({ length: rounds }, (_, round) => round + 1)
      const outcomes: Partial<Record<Way, Outcome[]>> = {}
      for (const way of Object.keys(ways) as Way[]) {
        const files = all.map((round) => `${way}.${round}.json`)
        // What is not on the cluster has left no results.
        const results = await run.fetch(files, signal).catch((error) => {
          if (way === 'ours') throw error
        })
        if (results === undefined) continue
        const texts = await Promise.all(files.map((file) => readFile(join(results, file), 'utf8')))
        outcomes[way] = texts.map((text) => JSON.parse(text) as Outcome)
      }
      await run.remove()

      const expected = sumOf(ranks, length)
      const figures = Object.fromEntries(
        Object.entries(outcomes).map(([way, list]) => {
          const wrong = list.find(({ sum, size }) => sum !== expected || size !== ranks)
          if (wrong) throw new Error(`${way}: ${wrong.size} ranks add up to ${wrong.sum}, not ${expected}`)
          return [
            way,
            { hopUs: median(list.map((each) => each.hopUs)), reduceMs: median(list.map((each) => each.reduceMs)) },
          ]
        }),
      ) as Partial<Record<Way, { hopUs: number; reduceMs: number }>>
      const result = {
        ...{ scheduler: cluster.dialect.name, host: cluster.name, ranks, nodes: outcomes.ours?.[0]?.nodes ?? [] },
        ...{ length, laps, sum: expected, ours: figures.ours, openMpi: figures.tcp, openMpiDefault: figures.mpi },
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
        `Ranks 0 to ${ranks - 1} on ${result.nodes.join(', ')}. All sums are ${count(expected)}.`,
        ...(figures.mpi ? [] : ['Open MPI is not there: sudo apt-get install openmpi-bin python3-mpi4py']),
      )
      return result
    } catch (error) {
      await run.abandon(error, signal)
      throw error
    }
  },
  figure: ({ ranks, ours, openMpi }) =>
    `${ranks} ranks, ${ours?.hopUs.toFixed(0)} µs a hop${openMpi ? `, Open MPI ${openMpi.hopUs.toFixed(0)} µs` : ''}`,
})

/** What the ranks' vectors, (rank + 1) · (i mod 1000), add up to, all elements together. */
function sumOf(ranks: number, length: number): number {
  const whole = Math.floor(length / 1000)
  const rest = length % 1000
  return ((ranks * (ranks + 1)) / 2) * (whole * 499_500 + (rest * (rest - 1)) / 2)
}

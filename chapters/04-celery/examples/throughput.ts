/**
 * throughput: how many empty tasks a second, from end to end; and how long a task must be to be worth a queue
 *
 * Run it, from anywhere in the repository; it starts Redis and all workers itself:
 *
 *     pnpm --filter 04-celery start throughput
 *     pnpm --filter 04-celery start throughput --tasks 50000 --workers 4
 *
 * Empty tasks go through bare BullMQ, the typed layer on it, and Celery. A task counts when its sender knows that it has
 * ended. All three use the same Redis and the same number of worker processes, and take turns. Celery takes part where
 * Python has it: npm run peers, or sudo apt-get install python3-celery python3-redis (Debian, Ubuntu; an older one).
 * Then tasks of several lengths go through the layer, in turn with plain calls of the same function on one thread.
 *
 * Look for: what the layer's checks, results and remote control cost on top of BullMQ; and the COST, which depends on
 * the length of a task.
 */
import { isDeepStrictEqual } from 'node:util'
import { costOf, paysFrom } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { findPython, installPython } from '../src/celery/python.ts'
import { gather } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { empty } from '../src/tasks/index.ts'
import { mostTasks, startBare } from '../src/throughput/bare.ts'
import { startCeleryPeer } from '../src/throughput/celery-peer.ts'
import { stretch, stretchPassword } from '../src/throughput/stretch.ts'

/** Celery gets a tenth of the tasks: only its rate counts, and it would take most of the time. */
const celeryShare = 10

/** Lengths of tasks, from microseconds to milliseconds. Of each there are `--tasks` divided by `share`. */
const lengthsOfTasks = [
  { iterations: 1, share: 1 },
  { iterations: 100, share: 2 },
  { iterations: 300, share: 5 },
  { iterations: 1_000, share: 10 },
  { iterations: 3_000, share: 20 },
  { iterations: 10_000, share: 40 },
]

export default example(import.meta, {
  options: {
    tasks: wholeNumber(10, mostTasks).default(10_000).describe('empty tasks in each round'),
    workers: workerCount(64).describe('worker processes of each'),
    concurrency: wholeNumber(1, 1_000).default(50).describe('places in each of the BullMQ workers'),
    rounds: wholeNumber(1, 100).default(5).describe('counted rounds, after one to warm up'),
  },
  quick: { tasks: 1_000, rounds: 3 },

  async run({ tasks, workers, concurrency, rounds }, { signal, print }) {
    // The same number of workers for each: of the layer, of bare BullMQ, and of Celery.
    const python = await findPython('celery', signal)
    const args = ['--concurrency', String(concurrency)]
    await using system = await startSystem({ workers, args, alone: true, signal })
    const { client, redis } = system
    print(
      `${howMany(tasks, 'empty task')} at a time, ${howMany(workers, 'worker process')} of each, Redis ${redis.version} …`,
    )
    const place = { url: redis.url, workers, signal }
    // Below the client's prefix, so that it is removed with the rest.
    await using bare = await startBare({ ...place, prefix: `${client.prefix}:bare`, concurrency })
    await using celery = python && (await startCeleryPeer(python, place))

    using bar = progress('doing nothing', 1)
    const fewer = Math.ceil(tasks / celeryShare)
    const timed = await interleave(
      {
        // No queue at all.
        plain() {
          const results = []
          const begin = performance.now()
          for (let task = 0; task < tasks; task++) results.push(nothing())
          return performance.now() - begin
        },
        counted: () => bare.counted(tasks),
        told: () => bare.told(tasks),
        // Through the layer: send all tasks, and wait for all results.
        async layer() {
          const begin = performance.now()
          const argsList = Array.from({ length: tasks }, () => ({}))
          await gather(await client.sendMany(empty, argsList), { signal })
          return performance.now() - begin
        },
        celery: async () => (celery ? (await celery.empties(fewer)).ms : 0),
      },
      { rounds, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    // Medians of rates, and of ratios within a round: a disturbance meets both sides of a round.
    const rate = (name: keyof typeof timed) => (1000 * (name === 'celery' ? fewer : tasks)) / timed[name].ms
    const ratio = (name: keyof typeof timed) => {
      const share = name === 'celery' ? tasks / fewer : 1
      return median(timed.layer.samplesMs.map((ms, at) => ((timed[name].samplesMs[at] ?? 0) * share) / ms))
    }
    const ways = [
      { name: 'bare BullMQ, ends counted', perSecond: rate('counted') },
      { name: 'bare BullMQ, each end told', perSecond: rate('told') },
      { name: 'the typed layer', perSecond: rate('layer') },
      ...(python ? [{ name: `Celery ${python.version}`, perSecond: rate('celery') }] : []),
    ]
    // Against the faster of the two bare ways.
    const layerToBare = Math.min(ratio('counted'), ratio('told'))
    const layerToCelery = python ? ratio('celery') : null
    print(
      '',
      table(
        ['from end to end', 'tasks/s'],
        ways.map(({ name, perSecond }) => [name, count(Math.round(perSecond))]),
      ),
      '',
      `The layer does ${percent(layerToBare)} of bare BullMQ's tasks per second`,
      layerToCelery === null
        ? `No Python here has Celery: ${installPython.celery}.`
        : `and ${times(layerToCelery)} as many as Celery with as many processes.`,
    )

    // What the queue must beat is a plain function call. How long must a task be until it does?
    const lengths = []
    for (const { iterations, share } of lengthsOfTasks) {
      const passwords = Array.from({ length: Math.ceil(tasks / share) }, (_, at) => `password ${at}`)
      bar.update(1, `stretching passwords, ${count(iterations)} iterations each`)
      const keys: Record<string, string[]> = {}
      const { plain, layer } = await interleave(
        {
          plain() {
            keys.plain = passwords.map((password) => stretchPassword(password, iterations))
          },
          async layer() {
            const argsList = passwords.map((password) => ({ password, iterations }))
            keys.layer = await gather(await client.sendMany(stretch, argsList), { signal })
          },
        },
        { rounds: Math.min(rounds, 3), signal },
      )
      if (!isDeepStrictEqual(keys.plain, keys.layer)) throw new Error('the queue made other keys than the plain calls')
      const cost = costOf(plain.ms, [{ workers, ms: layer.ms }])
      lengths.push({ iterations, tasks: passwords.length, taskMs: plain.ms / passwords.length, ms: layer.ms, ...cost })
    }
    const pays = paysFrom(lengths)
    const cost = costOf(
      timed.plain.ms,
      (['counted', 'told', 'layer'] as const).map((name) => ({ workers, ms: timed[name].ms })),
    )
    print(
      '',
      table(
        ['a task takes', 'tasks', 'plain calls, one thread', `the layer, ${howMany(workers, 'worker')}`, 'COST'],
        lengths.map((each) => [
          milliseconds(each.taskMs),
          count(each.tasks),
          milliseconds(each.bestSerialMs),
          milliseconds(each.ms),
          each.cost,
        ]),
      ),
      '',
      `Empty tasks: ${describeCost(cost)}`,
      pays
        ? `The queue beats one thread from tasks of ${milliseconds(pays.taskMs)}, of those measured.`
        : 'The queue beats one thread at none of these lengths.',
    )
    const paysFromMs = pays?.taskMs ?? null
    return { tasks, workers, concurrency, rounds, ways, layerToBare, layerToCelery, ...cost, lengths, paysFromMs }
  },
  figure: ({ ways, layerToBare, layerToCelery, cost, paysFromMs }) =>
    `${count(Math.round(ways[2]?.perSecond ?? 0))} tasks/s: ${percent(layerToBare)} of bare BullMQ${layerToCelery ? `, ${times(layerToCelery)} Celery` : ''}; COST ${cost}${paysFromMs === null ? '' : `, but pays from tasks of ${milliseconds(paysFromMs)}`}`,
})

/** An empty task as a plain function. */
const nothing = () => null

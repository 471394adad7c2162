/**
 * beyond: what a task queue does with more workers than this machine can have, by a model that is measured on this one
 *
 *     pnpm --filter bench start beyond
 *     pnpm --filter bench start beyond --ms 100
 *
 * One worker tells what a task costs at the worker, at the broker and on the way. With these costs, a discrete-event
 * model predicts runs with 2, 4 and 8 workers on this machine, and real runs stand beside it. Then each worker of the
 * model gets a core of its own, and there are up to 10,000 of them.
 *
 * Look for: the error of the model where it can be checked; and the number of workers from which on the broker is what
 * everybody waits for.
 */
import { coreCount } from '@repo/common/cores'
import { example } from '@repo/common/example/example'
import { seedNumber, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { linePlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, duration, howMany, milliseconds, percent, table } from '@repo/common/output/terminal'
import { startRedis } from '@repo/common/servers/redis'
import { type Measured, startBench } from '../src/model/measure.ts'
import { type Costs, simulate } from '../src/model/model.ts'

const fleets = [1, 2, 4, 8]
const beyond = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 10_000]
/** How busy the workers are when tasks arrive at random. */
const busy = 0.7
/** What an idle worker adds to a nap before anything is known about it, in ms. */
const guessMs = 2

export default example(import.meta, {
  options: {
    ms: wholeNumber(1, 10_000).default(10).describe('how long a task waits, in ms'),
    seconds: wholeNumber(1, 60).default(2).describe('how long each run lasts, about'),
    rounds: wholeNumber(1, 50).default(5).describe('of all runs in turn; medians count'),
    seed: seedNumber().default(1).describe('for the model'),
  },
  quick: { seconds: 1, rounds: 1 },

  async run({ ms, seconds, rounds, seed }, { signal, print, picture }) {
    const cores = coreCount()
    print(
      `Tasks of ${milliseconds(ms)} for ${fleets.join(', ')} workers on ${howMany(cores, 'core')}, ${count(rounds)} times in turn …`,
    )
    // Its CPU is measured, so nobody else may use it.
    await using redis = await startRedis({ own: true, signal })
    await using bench = await startBench(redis, Math.max(...fleets), signal)
    using bar = progress('runs', (2 * rounds + 1) * fleets.length)
    let runs = 0
    const rateFor = (workers: number) => (1_000 * workers) / (ms + guessMs)
    const tasksFor = (workers: number) => Math.max(20, Math.round(seconds * rateFor(workers)))

    // The first run of all workers is not counted: V8 is compiling.
    await bench.takeBacklog(Math.max(...fleets), tasksFor(8), ms)
    await bench.sendMany(1_000)
    const backlogs = new Map<number, Measured[]>(fleets.map((workers) => [workers, []]))
    const arrivals = new Map<number, Measured[]>(fleets.map((workers) => [workers, []]))
    const sent: Pick<Costs, 'clientMs' | 'sendMs'>[] = []
    const bursts: Measured[] = []
    for (let round = 0; round < rounds; round++) {
      sent.push(await bench.sendMany(1_000))
      // An idle broker takes longer for each task, so its costs are taken from a busy one.
      bursts.push(await bench.takeBacklog(Math.max(...fleets), 2_000, 0))
      for (const workers of fleets) {
        backlogs.get(workers)?.push(await bench.takeBacklog(workers, tasksFor(workers), ms))
        bar.update(++runs)
        const tasks = Math.round(busy * tasksFor(workers))
        arrivals.get(workers)?.push(await bench.takeArrivals(workers, tasks, ms, busy * rateFor(workers)))
        bar.update(++runs)
      }
    }
    const middle = (from: Map<number, Measured[]>, workers: number, of: keyof Measured) =>
      median((from.get(workers) ?? []).map((run) => run[of]))

    // One worker alone: what its time does not go to, it spends on the way.
    // #region costs
    const [napMs, workerMs] = (['napMs', 'workerMs'] as const).map((of) => middle(backlogs, 1, of)) as [number, number]
    const nextMs = median(bursts.map((run) => run.nextMs))
    const cycleMs = 1_000 / middle(backlogs, 1, 'perSecond')
    const costs: Costs = {
      napMs,
      workerMs,
      nextMs,
      clientMs: median(sent.map(({ clientMs }) => clientMs)),
      sendMs: median(sent.map(({ sendMs }) => sendMs)),
      wayMs: Math.max(0, cycleMs - napMs - workerMs - nextMs),
    }
    // #endregion costs
    print(
      '',
      table(
        ['of a task', 'takes'],
        [
          ['itself', duration(1e6 * costs.napMs)],
          ["a worker's core", duration(1e6 * costs.workerMs)],
          ["the client's core", duration(1e6 * costs.clientMs)],
          ['the broker, to take it in', duration(1e6 * costs.sendMs)],
          ['the broker, to end it and hand out the next', duration(1e6 * costs.nextMs)],
          ['the way there and back', duration(1e6 * costs.wayMs)],
        ],
      ),
      '',
    )

    // The same runs in the model, on as many cores.
    const checked = fleets.map((workers) => {
      const model = { workers, tasks: 20_000, seed }
      const backlog = simulate(costs, { cores }, model)
      const arriving = simulate(costs, { cores }, { ...model, perSecond: busy * rateFor(workers) })
      const perSecond = middle(backlogs, workers, 'perSecond')
      return {
        workers,
        perSecond,
        predicted: backlog.perSecond,
        error: backlog.perSecond / perSecond - 1,
        p50Ms: middle(arrivals, workers, 'p50Ms'),
        predictedP50Ms: arriving.p50Ms,
        p95Ms: middle(arrivals, workers, 'p95Ms'),
        predictedP95Ms: arriving.p95Ms,
      }
    })
    print(
      table(
        ['workers', 'tasks a second', 'model', 'error', 'median latency', 'model', '95 % within', 'model'],
        checked.map((row) => [
          row.workers,
          count(Math.round(row.perSecond)),
          count(Math.round(row.predicted)),
          `${(100 * row.error).toFixed(1)} %`,
          milliseconds(row.p50Ms),
          milliseconds(row.predictedP50Ms),
          milliseconds(row.p95Ms),
          milliseconds(row.predictedP95Ms),
        ]),
      ),
      '',
    )

    // A task that finds an idle worker costs the broker one more request: the one that ended the worker's last task got none.
    const ofBroker = 1_000 / (costs.sendMs + costs.nextMs)
    const ofIdle = 1_000 / (costs.sendMs + 2 * costs.nextMs)
    // A core for each, and a send for each task that is done: as it would go on for ever.
    const predictions = beyond.map((workers) => {
      const tasks = Math.max(5_000, 10 * workers)
      const full = simulate(costs, {}, { workers, tasks, isSending: true, seed })
      const perSecond = busy * Math.min(full.perSecond, ofIdle)
      const { p50Ms, p95Ms } = simulate(costs, {}, { workers, tasks, perSecond, seed })
      const cycleMs = (1_000 * workers) / full.perSecond
      return { workers, perSecond: full.perSecond, brokerLoad: full.brokerLoad, cycleMs, p50Ms, p95Ms }
    })
    const saturated = predictions.find(({ brokerLoad }) => brokerLoad > 0.95)
    print(
      table(
        [
          'workers, each with a core',
          'tasks a second',
          'broker is busy',
          'a task takes a worker',
          `latency at ${percent(busy)}`,
          '95 % within',
        ],
        predictions.map(({ workers, perSecond, brokerLoad, cycleMs, p50Ms, p95Ms }) => [
          count(workers),
          count(Math.round(perSecond)),
          percent(brokerLoad),
          milliseconds(cycleMs),
          milliseconds(p50Ms),
          milliseconds(p95Ms),
        ]),
      ),
      '',
      `One broker takes in and hands out at most ${count(Math.round(ofBroker))} tasks a second; ${count(Math.round(ofIdle))} if each has to wake an idle worker.`,
    )
    // How many workers keep it busy follows from how long a task takes.
    const lengths = [ms, 100, 1_000, 10_000, 60_000].filter((length, at) => at === 0 || length > ms)
    const outside = costs.wayMs + costs.workerMs
    const limits = lengths.map((length) => ({
      ms: length,
      workers: Math.round((ofBroker * (length + outside)) / 1_000),
    }))
    const shards = [1, 2, 4, 8].map((brokers) => {
      const load = { workers: 10_000, tasks: 100_000, isSending: true, seed }
      return { brokers, perSecond: simulate(costs, { brokers }, load).perSecond }
    })
    print(
      '',
      table(
        ['a task takes', 'workers that keep one broker busy'],
        limits.map(({ ms, workers }) => [milliseconds(ms), count(workers)]),
      ),
      '',
      table(
        ['brokers for 10,000 workers', 'tasks a second'],
        shards.map(({ brokers, perSecond }) => [brokers, count(Math.round(perSecond))]),
      ),
    )
    const pointsOf = <Row extends { workers: number }>(rows: readonly Row[], y: (row: Row) => number) =>
      rows.map((row) => ({ x: row.workers, y: y(row) }))
    const svg = linePlot({
      title: 'A task queue with one broker',
      subtitle: `tasks of ${milliseconds(ms)}; lines: the model, with a core for each worker; dots: measured on ${howMany(cores, 'core')}`,
      x: { label: 'workers', type: 'log' },
      y: { label: 'tasks a second; ms', type: 'log' },
      series: [
        { name: 'tasks a second', points: pointsOf(predictions, ({ perSecond }) => perSecond), color: palette[0] },
        {
          name: 'measured',
          points: pointsOf(checked, ({ perSecond }) => perSecond),
          style: 'dots',
          color: palette[3],
        },
        {
          name: 'ms that a task takes a worker, if some always wait',
          points: pointsOf(predictions, ({ cycleMs }) => cycleMs),
          color: palette[2],
        },
        {
          name: `ms from sending to the end, at ${percent(busy)}`,
          points: pointsOf(predictions, ({ p50Ms }) => p50Ms),
          style: 'dashed',
          color: palette[1],
        },
        { name: 'measured', points: pointsOf(checked, ({ p50Ms }) => p50Ms), style: 'dots', color: palette[1] },
      ],
    })
    print(`Picture: ${await picture('beyond.svg', svg)}`)
    return {
      ms,
      rounds,
      cores,
      costs,
      checked,
      predictions,
      saturated: saturated?.workers ?? null,
      ofBroker,
      ofIdle,
      limits,
      shards,
    }
  },

  figure: ({ checked, ofBroker }) =>
    `model within ${percent(Math.max(...checked.map(({ error }) => Math.abs(error))))}; one broker ${count(Math.round(ofBroker))} tasks/s`,
})

/**
 * chunking: the same work cut into 1 to 100,000 tasks, and three ways to hand them out
 *
 *     pnpm --filter 03-parallel start chunking
 *     pnpm --filter 03-parallel start chunking --limit 10000000 --workers 2
 *
 * The primes below a limit are counted by trial division on a pool. A few large tasks leave workers idle at the end,
 * all the more because larger numbers take longer. Many small tasks cost more to hand out than they save. Then the
 * workers share one loop on their own, through a counter in shared memory (src/loops/schedule.ts).
 *
 * The best program on one thread does not divide at all: it is the sieve of Eratosthenes. The last table shows from
 * which size on it pays to cut that.
 *
 * Look for: the valley in chunking.svg and how wide it is; in schedules.svg the empty right end of a row, where that
 * worker has nothing left to do; and the COST.
 */
import { aborted } from '@repo/common/async/abort'
import { divide } from '@repo/common/async/ranges'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { smallest } from '@repo/common/extremes'
import { interleave, startSpinners } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { sievePrimes } from '@repo/common/workloads/primes'
import { Piscina } from 'piscina'
import { countPrimesHere } from '../src/loops/primes.ts'
import type { PrimesTask } from '../src/loops/primes.worker.ts'
import { idleShare, type Schedule, schedules, sharedLoop, type WorkerLog } from '../src/loops/schedule.ts'

export default example(import.meta, {
  options: {
    limit: wholeNumber(1_000, 100_000_000).default(4_000_000).describe('count the primes below this number'),
    tasks: wholeNumber(1, 1_000_000).default(100_000).describe('the largest number of tasks to cut the work into'),
    chunk: wholeNumber(1, 1_000_000).default(10_000).describe('numbers in a chunk of the dynamic schedule'),
    workers: workerCount(64).describe('worker threads'),
  },
  quick: { limit: 1_500_000, tasks: 10_000 },

  async run({ limit, tasks, chunk, workers }, { signal, quick, print, picture }) {
    print(
      `Counting the primes below ${count(limit)}, in 1 to ${howMany(tasks, 'task')} on ${howMany(workers, 'thread')} …`,
    )
    await using pool = new Piscina<PrimesTask, WorkerLog | number>({
      filename: new URL('../src/loops/primes.worker.ts', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
    })
    const stopped = aborted(signal)
    const primes = await countPrimesHere(limit, signal)
    const check = (counted: number[], how: string, expected = primes) => {
      const found = counted.reduce((sum, primes) => sum + primes, 0)
      if (found !== expected) throw new Error(`${how} counted ${found} primes, one thread ${expected}`)
    }

    // Cut the range into tasks of equal length, and hand them all in at once.
    // #region cut-into
    const cutInto = (parts: number) => async () => {
      const ranges = divide({ from: 0, to: limit }, parts)
      const counted = await Promise.race([Promise.all(ranges.map((range) => pool.run(range))), stopped])
      check(counted as number[], `${parts} tasks`)
    }
    // #endregion cut-into
    const parts = [1, 2, 4, 8, 16, 32, 100, 320, 1_000, 3_200, 10_000, 32_000, 100_000, 320_000, 1_000_000]
    const cuts = [...parts.filter((part) => part < tasks), tasks]
    using bar = progress('counting', 1)
    const rounds = { rounds: quick ? 3 : 5, signal, onProgress: (done: number, of: number) => bar.update(done / of) }
    await using spinners = await startSpinners(workers)
    const spin = await spinners.calibrate(100)
    const timed = await interleave<string>(
      {
        serial: async () => check([await countPrimesHere(limit, signal)], 'one thread'),
        alone: () => spinners.run(1, spin),
        together: () => spinners.run(workers, spin),
        ...Object.fromEntries(cuts.map((parts) => [`cut ${parts}`, cutInto(parts)])),
      },
      rounds,
    )
    const ms = (name: string) => timed[name]?.ms ?? Number.NaN
    const serialMs = ms('serial')
    const ceiling = (workers * ms('alone')) / ms('together')
    const sizes = cuts.map((parts) => ({ tasks: parts, chunk: limit / parts, ms: ms(`cut ${parts}`) }))
    const best = sizes.reduce((a, b) => (b.ms < a.ms ? b : a))
    const most = sizes.at(-1) ?? best
    // The time that many tasks take beyond the best cut is the price of handing them out.
    const overheadMs = Math.max(0, most.ms - best.ms) / Math.max(1, most.tasks - best.tasks)

    // Or no queue at all: one loop for all workers, from which each takes chunks by one of three schedules.
    const logs: Record<Schedule, WorkerLog[]> = { static: [], dynamic: [], guided: [] }
    const share = (schedule: Schedule) => async () => {
      const loop = sharedLoop({ schedule, items: limit, workers, chunk })
      const shares = Array.from({ length: workers }, (_, worker) => pool.run({ loop, worker }))
      logs[schedule] = (await Promise.race([Promise.all(shares), stopped])) as WorkerLog[]
      check(
        logs[schedule].map(({ primes }) => primes),
        schedule,
      )
    }
    const shared = await interleave(
      {
        static: share('static'),
        dynamic: share('dynamic'),
        guided: share('guided'),
        best: () => check([sievePrimes(0, limit)], 'the sieve'),
      },
      rounds,
    )
    const compared = schedules.map((schedule) => {
      const chunks = logs[schedule].reduce((sum, log) => sum + log.chunks.length, 0)
      return { schedule, ms: shared[schedule].ms, chunks, idle: idleShare(logs[schedule]) }
    })

    // COST: the workers that trial division would need to beat the sieve on one thread.
    const cost = costOf(shared.best.ms, [
      { workers: 1, ms: ms('cut 1') },
      ...[best, ...compared].map(({ ms }) => ({ workers, ms })),
    ])
    // And the sieve on all workers, for larger and larger limits.
    const sieve = []
    for (const limit of quick ? [1e4, 1e5, 1e6, 1e7] : [1e5, 1e6, 1e7, 1e8]) {
      const ranges = divide({ from: 0, to: limit }, 4 * workers)
      const expected = sievePrimes(0, limit)
      const { serial, parallel } = await interleave(
        {
          serial: () => check([sievePrimes(0, limit)], 'the sieve', expected),
          parallel: async () => {
            const counting = Promise.all(ranges.map((range) => pool.run({ ...range, sieve: true })))
            check((await Promise.race([counting, stopped])) as number[], 'the sieve on the pool', expected)
          },
        },
        rounds,
      )
      sieve.push({ limit, ms: parallel.ms, ...costOf(serial.ms, [{ workers, ms: parallel.ms }]) })
    }

    const level = (ms: number) => sizes.map(({ tasks }) => ({ x: tasks, y: ms }))
    const bestCut = `${howMany(best.tasks, 'task')} of ${count(Math.round(best.chunk))} numbers`
    const valley = linePlot({
      title: `${count(primes)} primes below ${count(limit)}, counted in more and more tasks`,
      subtitle: `${howMany(workers, 'thread')}; best: ${bestCut}`,
      x: {
        label: 'tasks',
        type: 'log',
        ticks: cuts.filter((tasks) => Number.isInteger(Math.log10(tasks))),
        tickFormat: (tick) => count(Number(tick)),
      },
      y: { label: 'ms', type: 'log' },
      series: [
        { name: 'measured', points: sizes.map(({ tasks, ms }) => ({ x: tasks, y: ms })) },
        { name: 'one thread', style: 'dashed', points: level(serialMs) },
        { name: 'the ceiling', style: 'dashed', points: level(serialMs / ceiling) },
      ],
    })
    const chunks = timeline({
      title: 'Who counts when: a row for each worker, a box for each chunk',
      kinds: { static: {}, dynamic: {}, guided: {} },
      rows: schedules.flatMap((schedule) => {
        const begin = smallest(logs[schedule].flatMap(({ chunks }) => chunks.map(({ beginMs }) => beginMs)))
        return logs[schedule].map(({ worker, chunks }) => ({
          name: `${schedule} ${worker + 1}`,
          spans: chunks.map(({ beginMs, endMs }) => ({ kind: schedule, from: beginMs - begin, to: endMs - begin })),
        }))
      }),
    })
    const pictures = [await picture('chunking.svg', valley), await picture('schedules.svg', chunks)]
    const speedup = (ms: number) => times(serialMs / ms)
    print(
      '',
      table(
        ['tasks', 'numbers in each', 'time', 'speedup'],
        sizes.map((cut) => [count(cut.tasks), count(Math.round(cut.chunk)), milliseconds(cut.ms), speedup(cut.ms)]),
      ),
      '',
      `One thread takes ${milliseconds(serialMs)}; the ceiling is ${times(ceiling)}. Best: ${bestCut}, ${speedup(best.ms)}.`,
      `Handing out a task costs about ${(1000 * overheadMs).toFixed(0)} µs of the whole pool's time.`,
      '',
      table(
        ['schedule', 'time', 'speedup', 'chunks', 'workers idle'],
        compared.map(({ schedule, ms, chunks, idle }) => {
          return [schedule, milliseconds(ms), speedup(ms), count(chunks), percent(idle)]
        }),
      ),
      '',
      describeCost(cost, 'threads'),
      `That program is the sieve of Eratosthenes. Trial division takes ${times(serialMs / cost.bestSerialMs)} as long on one thread.`,
      '',
      table(
        ['the sieve, up to', 'one thread', howMany(workers, 'thread'), 'speedup', 'COST'],
        sieve.map(({ limit, bestSerialMs, ms, cost }) => {
          return [count(limit), milliseconds(bestSerialMs), milliseconds(ms), times(bestSerialMs / ms), cost]
        }),
      ),
      '',
      ...pictures.map((path) => `Picture: ${path}`),
    )
    const found = { ...cost, sieve, serialMs, ceiling, sizes, best, overheadMs, schedules: compared }
    return { limit, primes, workers, ...found, picture: pictures }
  },
  figure: ({ best, serialMs, ceiling, cost }) =>
    `best cut: ${howMany(best.tasks, 'task')}, ${times(serialMs / best.ms)}, ceiling ${times(ceiling)}; COST ${cost}: a sieve is faster`,
})

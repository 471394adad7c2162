/**
 * chunking: the same work cut into 1 to 100,000 tasks, and three ways to hand them out
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 03-parallel start chunking
 *     pnpm --filter 03-parallel start chunking --limit 10000000 --workers 2
 *
 * The primes below a limit are counted by trial division on a pool. Few large tasks leave workers idle at the end, the
 * more so as larger numbers take longer; many small ones cost more to hand out than they save. Then the workers share one
 * loop by themselves, through a counter in shared memory (src/loops/schedule.ts).
 *
 * Look for: the valley in chunking.svg and how wide it is; and in schedules.svg the white at the right end of each row,
 * where a worker has nothing left to do.
 */
import { aborted } from '@repo/common/async/abort'
import { divide } from '@repo/common/async/ranges'
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, startSpinners } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, times } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { cutCounts, cutsTable, idleShare, schedulesTable, timeLines, valley } from '../src/loops/chunking-pictures.ts'
import { countPrimesHere } from '../src/loops/primes.ts'
import type { PrimesTask, WorkerLog } from '../src/loops/primes.worker.ts'
import { type Schedule, schedules, sharedLoop } from '../src/loops/schedule.ts'

export default example(import.meta, {
  options: {
    limit: wholeNumber(1_000, 100_000_000).default(4_000_000).describe('count the primes below it'),
    tasks: wholeNumber(1, 1_000_000).default(100_000).describe('the most tasks to cut the work into'),
    chunk: wholeNumber(1, 1_000_000).default(10_000).describe('numbers in a chunk of the dynamic schedule'),
    workers: workerCount(64).describe('worker threads'),
  },
  quick: { limit: 1_500_000, tasks: 10_000 },

  async run({ limit, tasks, chunk, workers }, { signal, quick, print, picture }) {
    print(`Counting the primes below ${count(limit)}, in 1 to ${count(tasks)} tasks on ${workers} threads …`)
    await using pool = new Piscina<PrimesTask, WorkerLog | number>({
      filename: new URL('../src/loops/primes.worker.ts', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
    })
    const stopped = aborted(signal)
    const primes = await countPrimesHere(limit, signal)
    const expectPrimes = (found: number, how: string) => {
      if (found !== primes) throw new Error(`${how} counted ${found} primes, one thread ${primes}`)
    }
    using bar = progress('counting', 1)
    const onProgress = (done: number, total: number) => bar.update(done / total)
    const rounds = { rounds: quick ? 3 : 5, signal, onProgress }

    // Cut into tasks of the same number of numbers, all handed in at once.
    const counts = cutCounts(tasks)
    const cutInto = (parts: number) => async () => {
      const ranges = divide({ from: 0, to: limit }, parts)
      const found = await Promise.race([Promise.all(ranges.map((range) => pool.run(range))), stopped])
      expectPrimes(
        (found as number[]).reduce((sum, primes) => sum + primes, 0),
        `${parts} tasks`,
      )
    }
    await using spinners = await startSpinners(workers)
    const spin = await spinners.calibrate(100)
    const timed = await interleave<string>(
      {
        serial: async () => expectPrimes(await countPrimesHere(limit, signal), 'one thread'),
        alone: () => spinners.run(1, spin),
        together: () => spinners.run(workers, spin),
        ...Object.fromEntries(counts.map((parts) => [`cut ${parts}`, cutInto(parts)])),
      },
      rounds,
    )
    const ms = (name: string) => timed[name]?.ms ?? Number.NaN
    const serialMs = ms('serial')
    const ceiling = (workers * ms('alone')) / ms('together')
    const sizes = counts.map((parts) => ({ tasks: parts, chunk: limit / parts, ms: ms(`cut ${parts}`) }))
    const best = sizes.reduce((a, b) => (b.ms < a.ms ? b : a))
    const most = sizes.at(-1) ?? best
    // Whatever many tasks take longer than the best cut is the price of handing them out.
    const overheadMs = Math.max(0, most.ms - best.ms) / Math.max(1, most.tasks - best.tasks)

    // Shared out by the workers themselves.
    const logs = new Map<Schedule, WorkerLog[]>()
    const share = (schedule: Schedule) => async () => {
      const loop = sharedLoop({ schedule, items: limit, workers, chunk })
      const all = Array.from({ length: workers }, (_, worker) => pool.run({ loop, worker }))
      const done = (await Promise.race([Promise.all(all), stopped])) as WorkerLog[]
      expectPrimes(
        done.reduce((sum, log) => sum + log.primes, 0),
        schedule,
      )
      logs.set(schedule, done)
    }
    const shared = await interleave(
      { static: share('static'), dynamic: share('dynamic'), guided: share('guided') },
      rounds,
    )
    const compared = schedules.map((schedule) => {
      const done = logs.get(schedule) ?? []
      const chunks = done.reduce((sum, log) => sum + log.chunks.length, 0)
      return { schedule, ms: shared[schedule].ms, chunks, idle: idleShare(done) }
    })

    const svg = valley(
      sizes,
      { serialMs, bestMs: serialMs / ceiling },
      `${count(primes)} primes below ${count(limit)}, counted in more and more tasks`,
      `${workers} threads; best: ${count(best.tasks)} tasks of ${count(Math.round(best.chunk))} numbers`,
    )
    const pictures = [await picture('chunking.svg', svg), await picture('schedules.svg', timeLines(logs))]
    print(
      '',
      cutsTable(sizes, serialMs),
      '',
      `One thread takes ${milliseconds(serialMs)}; the ceiling is ${times(ceiling)}. Best: ${count(best.tasks)} tasks of ${count(Math.round(best.chunk))} numbers, ${times(serialMs / best.ms)}.`,
      `Handing out a task costs about ${(1000 * overheadMs).toFixed(0)} µs of the whole pool's time.`,
      '',
      schedulesTable(compared, serialMs),
      '',
      ...pictures.map((path) => `Picture: ${path}`),
    )
    return {
      limit,
      primes,
      workers,
      serialMs,
      ceiling,
      sizes,
      best,
      overheadMs,
      schedules: compared,
      picture: pictures,
    }
  },
  figure: ({ best, serialMs, ceiling }) =>
    `best cut: ${count(best.tasks)} tasks, ${times(serialMs / best.ms)}, ceiling ${times(ceiling)}`,
})

/**
 * pool: a worker pool written out, what tasks that go wrong do to it, and three packages to compare it with
 *
 *     pnpm --filter 03-parallel start pool
 *     pnpm --filter 03-parallel start pool --tasks 100000 --workers 4
 *
 * The pool (src/pool/pool.ts) gets one good task and four bad ones, which throw, call process.exit, never end, or use
 * up their memory. Then four pools hand out empty tasks: what remains is the price of handing a task to another thread
 * and getting its result. Then our pool gets tasks of other lengths, and so does one thread by plain function calls.
 * Finally each pool gets the bad tasks.
 *
 * Look for: the price of a task, which says how long a task must be to be worth it. In the last table: does the error
 * say what happened, were the other tasks done, and does the pool still work?
 */
import { costOf, paysFrom } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median, quantile } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, percent, table } from '@repo/common/output/terminal'
import { describe, faultNames, faultsOf } from '../src/peers/faults.ts'
import { emptyTasks, type PoolName, poolNames, pools, tasksModule } from '../src/peers/pools.ts'
import work, { type Task } from '../src/peers/tasks.worker.ts'
import { WorkerPool } from '../src/pool/pool.ts'
import { threads } from '../src/pool/workers.ts'

const heapMb = 32

export default example(import.meta, {
  options: {
    tasks: wholeNumber(100, 1_000_000).default(20_000).describe('empty tasks handed in at once'),
    calls: wholeNumber(10, 1_000_000).default(5_000).describe('empty tasks one after the other, for the latency'),
    timeout: wholeNumber(10, 60_000).default(500).describe('deadline of the tasks that hang, in ms'),
    workers: workerCount(64).describe('worker threads in each pool'),
  },
  quick: { tasks: 5_000, calls: 1_000 },

  async run({ tasks, calls, timeout, workers }, { signal, quick, print }) {
    print(`One good task and four bad ones for a pool of ${howMany(workers, 'thread')} …`)
    // Each worker is a thread that does tasks with the default export of one module. Its memory has a limit.
    await using ours = new WorkerPool<Task, unknown>(threads(tasksModule, { heapMb }), workers)

    // Hand in all five at once. Every promise settles, whatever its task does to the worker.
    const handedIn = {
      echoes: ours.run({ do: 'echo', value: 'hello' }, { signal }),
      throws: ours.run({ do: 'throw' }, { signal }),
      exits: ours.run({ do: 'exit' }, { signal }),
      hangs: ours.run({ do: 'hang' }, { signal, timeoutMs: timeout }),
      'out of memory': ours.run({ do: 'exhaust' }, { signal }),
    }
    const outcomes = await Promise.allSettled(Object.values(handedIn))
    signal.throwIfAborted()
    const causes = outcomes.map((outcome) => (outcome.status === 'rejected' ? describe(outcome.reason) : 'none'))
    print(
      '',
      table(
        ['a task', 'its error'],
        Object.keys(handedIn).map((task, at) => [task, causes[at] ?? '']),
      ),
      '',
    )

    // The same pool goes on, next to three packages: empty tasks one after the other, then all at once.
    print(`${howMany(tasks, 'empty task')} on ${howMany(workers, 'thread')}, by four pools in turn …`)
    await using piscina = pools.piscina({ workers, heapMb })
    await using tinypool = pools.tinypool({ workers, heapMb })
    await using workerpool = pools.workerpool({ workers, heapMb })
    const latencies: Record<PoolName, number[]> = { ours: [], piscina: [], tinypool: [], workerpool: [] }
    using bar = progress('handing out empty tasks', 1)
    const timings = await interleave(
      {
        ours: () => emptyTasks(ours, { calls, tasks, latencies: latencies.ours, signal }),
        piscina: () => emptyTasks(piscina, { calls, tasks, latencies: latencies.piscina, signal }),
        tinypool: () => emptyTasks(tinypool, { calls, tasks, latencies: latencies.tinypool, signal }),
        workerpool: () => emptyTasks(workerpool, { calls, tasks, latencies: latencies.workerpool, signal }),
      },
      { rounds: quick ? 3 : 5, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    const speeds = poolNames.map((pool) => {
      const counted = latencies[pool].slice(calls)
      const perSecond = (1000 * tasks) / timings[pool].ms
      return { pool, perSecond, p50Ms: median(counted), p99Ms: quantile(counted, 0.99) }
    })
    const ratioToPiscina = timings.piscina.ms / timings.ours.ms
    const micros = (ms: number) => `${(1000 * ms).toFixed(0)} µs`
    print(
      '',
      table(
        ['pool', 'empty tasks/s', 'one call p50', 'p99'],
        speeds.map((row) => [row.pool, count(Math.round(row.perSecond)), micros(row.p50Ms), micros(row.p99Ms)]),
      ),
      '',
      `Ours does ${percent(ratioToPiscina)} of piscina's empty tasks per second.`,
      '',
    )

    // What the pool must beat is no pool at all: plain calls on this thread. Tasks from empty to a millisecond or so.
    const lengths = []
    for (const [n, share] of [
      [0, 1],
      [10, 1],
      [15, 1],
      [20, 10],
      [25, 100],
    ] as const) {
      const task: Task = n === 0 ? { do: 'nothing' } : { do: 'fib', n }
      const calls = Math.ceil(tasks / share)
      const { plain, pooled } = await interleave(
        {
          async plain() {
            for (let call = 0; call < calls; call++) work(task)
          },
          async pooled() {
            await Promise.all(Array.from({ length: calls }, () => ours.run(task)))
          },
        },
        { rounds: 3, signal },
      )
      lengths.push({
        task: n === 0 ? 'empty' : `fib(${n})`,
        calls,
        ms: pooled.ms,
        ...costOf(plain.ms, [{ workers, ms: pooled.ms }]),
      })
    }
    const { bestSerialMs, cost } = lengths[0] as (typeof lengths)[number]
    print(
      table(
        ['a task', 'it takes', 'tasks', 'plain calls, one thread', `our pool, ${howMany(workers, 'thread')}`, 'COST'],
        lengths.map(({ task, calls, ms, ...plain }) => {
          const us = (1000 * plain.bestSerialMs) / calls
          const takes = `${us < 10 ? us.toPrecision(2) : count(Math.round(us))} µs`
          return [task, takes, count(calls), milliseconds(plain.bestSerialMs), milliseconds(ms), plain.cost]
        }),
      ),
      '',
      `Empty tasks: ${describeCost({ bestSerialMs, cost }, 'threads')}`,
      '',
    )

    // The bad tasks in every pool, each pool in a process of its own, which ends even if the pool does not.
    bar.update(1, 'tasks that go wrong')
    const reports = poolNames.map((name) => faultsOf({ name, workers, heapMb, timeoutMs: timeout }, signal))
    const behaviour = (await Promise.all(reports)).flat()
    behaviour.sort((a, b) => faultNames.indexOf(a.fault) - faultNames.indexOf(b.fault))
    const yes = (is: boolean) => (is ? 'yes' : 'no')
    print(
      table(
        ['a task', 'pool', 'others done', 'usable', 'closes', 'what its promise was rejected with'],
        behaviour.map(({ fault, pool, cause, others, of, usable, closes }) => {
          const short = cause.length > 90 ? `${cause.slice(0, 89)}…` : cause
          return [fault, pool, `${others} of ${of}`, yes(usable), yes(closes), short]
        }),
      ),
      // This program cannot wait for ever, so it cannot say "never".
      ...behaviour
        .filter(({ settled, usable, closes }) => !settled || !usable || !closes)
        .slice(0, 1)
        .map(({ patienceMs }) => `"no" and "still open" mean: not within ${patienceMs / 1000} s of the last result.`),
    )
    return { workers, causes, tasks, speeds, ratioToPiscina, bestSerialMs, cost, lengths, behaviour }
  },
  figure: ({ ratioToPiscina, lengths }) => {
    const pays = paysFrom(lengths)
    return `our pool does ${percent(ratioToPiscina)} of piscina's empty tasks per second; COST ${pays ? `${pays.cost} from tasks like ${pays.task}` : lengths.at(-1)?.cost}`
  },
})

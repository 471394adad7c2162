/**
 * pool: a worker pool in about a hundred lines beside three that you can install, also when tasks go wrong
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 03-parallel start pool
 *     pnpm --filter 03-parallel start pool --tasks 100000 --workers 4
 *
 * The tasks are empty: what is left is the price of handing something to another thread and hearing back. Then one task
 * among others throws, calls process.exit, never ends, or eats all memory.
 *
 * Look for: the price of a task, which says how long a task must be to be worth it; and in the second table whether the
 * cause would have told you what happened, whether the other tasks were done, and whether the pool can still be used.
 * The pool itself is src/pool/pool.ts.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median, quantile } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, percent, table } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { faultNames, type PoolFault, type PoolName, poolNames, pools } from '../src/pool/pools.ts'

const heapMb = 32

export default example(import.meta, {
  options: {
    tasks: wholeNumber(100, 1_000_000).default(20_000).describe('empty tasks handed in at once'),
    calls: wholeNumber(10, 1_000_000).default(5_000).describe('empty tasks one after the other, for the latency'),
    timeout: wholeNumber(10, 60_000).default(500).describe('deadline of the tasks that go wrong, in ms'),
    workers: workerCount(64).describe('worker threads in each pool'),
  },
  quick: { tasks: 5_000, calls: 1_000 },

  async run({ tasks, calls, timeout, workers }, { signal, quick, print }) {
    print(`${count(tasks)} empty tasks on ${workers} threads, by four pools in turn …`)
    using bar = progress('handing out empty tasks', 1)
    const latencies = new Map(poolNames.map((name) => [name, [] as number[]]))
    await using opened = new AsyncDisposableStack()
    const running = poolNames.map((name) => ({ name, pool: opened.use(pools[name]({ workers, heapMb })) }))
    const ways = running.map(({ name, pool }) => [
      name,
      async () => {
        // Before the counted part, so that a pool's threads have started and its code is compiled.
        for (let call = 0; call < calls; call++) {
          if (call % 100 === 0) signal.throwIfAborted()
          const start = performance.now()
          await pool.run({ do: 'nothing' })
          latencies.get(name)?.push(performance.now() - start)
        }
        const start = performance.now()
        await Promise.all(Array.from({ length: tasks }, () => pool.run({ do: 'nothing' })))
        return performance.now() - start
      },
    ])
    const timings = await interleave(Object.fromEntries(ways) as Record<PoolName, () => Promise<number>>, {
      rounds: quick ? 3 : 5,
      signal,
      onProgress: (done, total) => bar.update(done / total),
    })
    const speeds = poolNames.map((name) => {
      const lasting = latencies.get(name)?.slice(calls) ?? []
      return {
        pool: name,
        perSecond: (1000 * tasks) / timings[name].ms,
        p50Ms: median(lasting),
        p99Ms: quantile(lasting, 0.99),
      }
    })
    const rate = (name: PoolName) => speeds.find(({ pool }) => pool === name)?.perSecond ?? Number.NaN
    print(
      '',
      table(
        ['pool', 'empty tasks/s', 'one call p50', 'p99'],
        speeds.map(({ pool, perSecond, p50Ms, p99Ms }) => [
          pool,
          count(Math.round(perSecond)),
          `${(1000 * p50Ms).toFixed(0)} µs`,
          `${(1000 * p99Ms).toFixed(0)} µs`,
        ]),
      ),
      '',
      `Ours does ${percent(rate('ours') / rate('piscina'))} of piscina's empty tasks per second.`,
      '',
    )

    bar.update(1, 'tasks that go wrong')
    // In processes of their own, which end also where a pool does not.
    const probe = async (name: PoolName) => {
      const args = [JSON.stringify({ name, workers, heapMb, timeoutMs: timeout })]
      const file = new URL('../src/pool/pools.program.ts', import.meta.url)
      // It is ready when it is done, and waits for what never comes.
      await using program = await startProgram<PoolFault[]>(file, { args, signal, readyTimeoutMs: 600_000 })
      return program.info
    }
    const behaviour = (await Promise.all(poolNames.map(probe))).flat()
    behaviour.sort((a, b) => faultNames.indexOf(a.fault) - faultNames.indexOf(b.fault))
    print(
      table(
        ['a task', 'pool', 'others done', 'usable', 'closes', 'what its promise was rejected with'],
        behaviour.map(({ fault, pool, cause, others, of, usable, closes }) => [
          fault,
          pool,
          `${others} of ${of}`,
          usable ? 'yes' : 'no',
          closes ? 'yes' : 'no',
          cause.length > 90 ? `${cause.slice(0, 89)}…` : cause,
        ]),
      ),
    )
    return { workers, tasks, speeds, ratioToPiscina: rate('ours') / rate('piscina'), behaviour }
  },
  figure: ({ ratioToPiscina }) => `our pool does ${percent(ratioToPiscina)} of piscina's empty tasks per second`,
})

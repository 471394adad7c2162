/**
 * fib: the same computation k times on one thread, on threads, on a pool and on processes, and in Python
 *
 *     pnpm --filter 03-parallel start fib
 *     pnpm --filter 03-parallel start fib --n 40
 *
 * Each way computes fib(n), slowly on purpose, k times at once, for k = 1 up to twice the number of cores. Its threads
 * or processes have started before the clock does; the last line of the table shows what a start costs. If python3 is
 * installed, its threads and processes do the same with a smaller n, because Python is slower.
 *
 * Nobody would compute fib(n) like that: a loop of n additions is the best program on one thread. It is compared at
 * the end.
 *
 * Look for: the lines that stay flat up to the number of cores and rise from there; and Python's threads, which share
 * one interpreter lock and gain nothing; and the COST.
 */

import { setImmediate } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { compareWithSerial, interleave } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { fib, fibByLoop } from '../src/fib/fib.ts'
import { python } from '../src/fib/python.ts'
import { WorkerPool } from '../src/pool/pool.ts'
import { processes, threads } from '../src/pool/workers.ts'

const fibModule = new URL('../src/fib/fib.ts', import.meta.url)

export default example(import.meta, {
  options: {
    n: wholeNumber(10, 45).default(36).describe('compute fib(n)'),
    pythonN: wholeNumber(10, 40).default(28).describe('the same for Python'),
  },
  quick: { n: 33, pythonN: 23 },

  async run({ n, pythonN }, { signal, quick, print, picture }) {
    const cores = coreCount()
    const counts = countsUpTo(2 * cores)
    const most = counts.at(-1) as number
    print(`fib(${n}) 1 to ${most} times at once on ${howMany(cores, 'core')} …`)

    // The chapter's pool with a thread for each computation; a package's pool with a thread for each core; the
    // chapter's pool with a process for each computation. All their workers start before the clock does.
    const startMs: Record<string, number> = {}
    await using onThreads = new WorkerPool<number, number>(threads(fibModule), most)
    startMs.worker_threads = await startOfOne(onThreads, most)
    await using piscina = new Piscina<number, number>({
      filename: fibModule.href,
      minThreads: cores,
      maxThreads: cores,
    })
    startMs['piscina pool'] = await startOfOne(piscina, cores)
    await using onProcesses = new WorkerPool<number, number>(processes(fibModule), most)
    startMs['child processes'] = await startOfOne(onProcesses, most)

    const ways = {
      async 'main thread'(k: number) {
        const results: number[] = []
        while (results.length < k) {
          results.push(fib(n))
          // Gives Ctrl-C a chance to be heard.
          await setImmediate(undefined, { signal })
        }
        return results
      },
      worker_threads: (k: number) => atOnce(k, () => onThreads.run(n)),
      'piscina pool': (k: number) => atOnce(k, () => piscina.run(n)),
      'child processes': (k: number) => atOnce(k, () => onProcesses.run(n)),
    }
    const names = Object.keys(ways) as (keyof typeof ways)[]
    // Ctrl-C ends the workers, and with them every wait below.
    const stopped = aborted(signal)
    const expected = fib(n)
    const checked = (name: keyof typeof ways, k: number) => async () => {
      const results = await Promise.race([ways[name](k), stopped])
      if (!results.every((result) => result === expected)) throw new Error(`${name} computed ${results}`)
    }

    // For each k, all ways in turn.
    using bar = progress('computing', 1)
    const rows: { k: number; ms: Record<string, number> }[] = []
    for (const [at, k] of counts.entries()) {
      const timed = await interleave(Object.fromEntries(names.map((name) => [name, checked(name, k)])), {
        rounds: quick ? 3 : 5,
        signal,
        onProgress: (done, total) => bar.update((at + done / total) / counts.length),
      })
      rows.push({ k, ms: Object.fromEntries(Object.entries(timed).map(([name, { ms }]) => [name, ms])) })
    }
    // The speedup of two threads, and what the machine could give at the same time.
    bar.update(1, 'two workers and the ceiling')
    const workers = Math.min(2, most)
    const two = await compareWithSerial(
      { workers, serial: checked('main thread', workers), parallel: checked('worker_threads', workers) },
      { rounds: quick ? 5 : 9, signal },
    )
    // The best plain program for the same numbers, on one thread. It is too fast to be timed once.
    const repeats = 100_000
    const loopMs = (n: number, k: number) => {
      const expected = k * repeats * fib(n)
      let sum = 0
      const begin = performance.now()
      for (let at = 0; at < k * repeats; at++) sum += fibByLoop(n)
      const ms = (performance.now() - begin) / repeats
      if (sum !== expected) throw new Error(`the loop computed fib(${n}) = ${sum / (k * repeats)}`)
      return ms
    }
    const sizes = []
    for (const size of [...new Set([10, 20, 30, n])].sort((a, b) => a - b)) {
      const { best, parallel } = await interleave(
        {
          best: () => loopMs(size, workers),
          parallel: () => Promise.race([atOnce(workers, () => onThreads.run(size)), stopped]).then(() => {}),
        },
        { rounds: quick ? 3 : 5, signal },
      )
      sizes.push({ n: size, ms: parallel.ms, ...costOf(best.ms, [{ workers, ms: parallel.ms }]) })
    }
    const cost = costOf(sizes.find((size) => size.n === n)?.bestSerialMs ?? Number.NaN, [
      { workers, ms: two.parallelMs },
    ])
    bar.update(1, 'computing in Python')
    const inPython = await python(pythonN, counts, signal)

    // All times as multiples of the time of one computation: on the main thread, or in Python.
    const oneMs = rows[0]?.ms['main thread'] ?? Number.NaN
    const own = names.map((name) => ({ name, points: rows.map(({ k, ms }) => ({ x: k, y: (ms[name] ?? 0) / oneMs })) }))
    const results = inPython?.results ?? []
    const onPythonThreads = results.map(({ k, oneMs, threadsMs }) => ({ x: k, y: threadsMs / oneMs }))
    const onPythonProcesses = results.map(({ k, oneMs, processesMs }) => ({ x: k, y: processesMs / oneMs }))
    const pythonColumns = inPython
      ? [
          { name: 'Python threads', points: onPythonThreads },
          { name: 'Python processes', points: onPythonProcesses },
        ]
      : []
    const series = [...own, ...pythonColumns.map((column) => ({ ...column, style: 'dashed' as const }))]
    const slowest = Math.max(...series.flatMap(({ points }) => points.map(({ y }) => y)))
    const svg = linePlot({
      title: 'The same computation k times at once',
      subtitle: `time as a multiple of one computation; ${howMany(cores, 'core')}`,
      width: 900,
      x: { label: 'computations', ticks: counts, tickFormat: 'd' },
      y: { label: 'time / time of one', domain: [0, slowest] },
      series,
    })
    const path = await picture('fib.svg', svg)
    print(
      '',
      table(
        ['k', ...names, ...pythonColumns.map(({ name }) => name)],
        [
          ...rows.map(({ k, ms }, at) => {
            const inPython = pythonColumns.map(({ points }) => times(points[at]?.y ?? 0))
            return [k, ...names.map((name) => milliseconds(ms[name] ?? 0)), ...inPython]
          }),
          ['start of one', '', ...Object.values(startMs).map(milliseconds), ...pythonColumns.map(() => '')],
        ],
      ),
      '',
      inPython
        ? `Python ${inPython.version}: fib(${pythonN}), as multiples of the time of one, ${milliseconds(results[0]?.oneMs ?? 0)}.`
        : 'python3 was not found: its columns are missing.',
      `${workers} worker_threads: ${times(two.speedup)} as fast as one thread, ceiling ${times(two.ceiling)}: efficiency ${percent(two.efficiency)}.`,
      '',
      table(
        [`${workers} times fib(n)`, `slowly, on ${howMany(workers, 'thread')}`, 'by a loop, on one thread', 'COST'],
        sizes.map(({ n, ms, bestSerialMs, cost }) => [`n = ${n}`, milliseconds(ms), milliseconds(bestSerialMs), cost]),
      ),
      '',
      describeCost(cost, 'threads'),
      `Picture: ${path}`,
    )
    return { n, cores, rows, two, ...cost, sizes, pythonN, python: inPython ?? null, startMs, picture: path }
  },
  figure: ({ two, cores, cost }) =>
    `${times(two.speedup)} as fast on ${howMany(two.workers, 'thread')}, ceiling ${times(two.ceiling)} (${howMany(cores, 'core')}); COST ${cost}: a loop is faster`,
})

function atOnce(k: number, run: () => Promise<number>): Promise<number[]> {
  return Promise.all(Array.from({ length: k }, run))
}

/** Has a pool start all its workers. Returns the time in ms for each of them. */
async function startOfOne(pool: { run: (n: number) => Promise<number> }, workers: number): Promise<number> {
  const begin = performance.now()
  await atOnce(workers, () => pool.run(1))
  return (performance.now() - begin) / workers
}

/** 1 to `most`; on large machines at most ten of them, powers of two and the number of cores among them. */
function countsUpTo(most: number): number[] {
  if (most <= 10) return Array.from({ length: most }, (_, at) => at + 1)
  const powers = Array.from({ length: Math.ceil(Math.log2(most)) }, (_, at) => 2 ** at)
  return [...new Set([...powers, most / 2, most])].sort((a, b) => a - b).slice(-10)
}

/**
 * fib: the same computation k times on one thread, on threads, on a pool and on processes, beside Python's
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 03-parallel start fib
 *     pnpm --filter 03-parallel start fib --n 40
 *
 * Every way computes fib(n), slowly and on purpose, k times at once, for k = 1 up to twice the number of cores. The
 * threads and processes have started before the clock does; what a start costs is in the table's last line. Where
 * python3 is installed, its threads and processes do the same with a smaller n, for it is slower.
 *
 * Look for: the lines that stay flat up to the number of cores and rise from there; and Python's threads, which share one
 * interpreter lock and gain nothing.
 */
import { availableParallelism } from 'node:os'
import { aborted } from '@repo/common/async/abort'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { compareWithSerial, interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { fib } from '../src/fib/fib.ts'
import { drawFib, type FibRow, pythonOf } from '../src/fib/picture.ts'
import { childProcesses, mainThread, piscinaPool, python, rawThreads } from '../src/fib/ways.ts'

export default example(import.meta, {
  options: {
    n: wholeNumber(10, 45).default(36).describe('compute fib(n)'),
    pythonN: wholeNumber(10, 40).default(28).describe('the same for Python'),
  },
  quick: { n: 33, pythonN: 23 },

  async run({ n, pythonN }, { signal, quick, print, picture }) {
    const cores = availableParallelism()
    const counts = countsUpTo(2 * cores)
    const most = counts.at(-1) as number
    print(`fib(${n}) 1 to ${most} times at once on ${cores} cores …`)
    await using opened = new AsyncDisposableStack()
    const ways = {
      'main thread': opened.use(mainThread(signal)),
      worker_threads: opened.use(await rawThreads(most)),
      'piscina pool': opened.use(await piscinaPool(cores)),
      'child processes': opened.use(await childProcesses(most)),
    }
    const names = Object.keys(ways) as (keyof typeof ways)[]
    // Ctrl-C ends them, and with them every wait below.
    const stopped = aborted(signal)
    const expected = fib(n)
    const checked = (name: keyof typeof ways, k: number) => async () => {
      const results = await Promise.race([ways[name].run(n, k), stopped])
      if (!results.every((result) => result === expected)) throw new Error(`${name} computed ${results}`)
    }

    using bar = progress('computing', 1)
    const rows: FibRow[] = []
    for (const [at, k] of counts.entries()) {
      const timed = await interleave(Object.fromEntries(names.map((name) => [name, checked(name, k)])), {
        rounds: quick ? 3 : 5,
        signal,
        onProgress: (done, total) => bar.update((at + done / total) / counts.length),
      })
      rows.push({ k, ms: Object.fromEntries(names.map((name) => [name, timed[name]?.ms ?? Number.NaN])) })
    }
    // The gain of two workers, beside what the machine could give at the same time.
    bar.update(1, 'two workers beside the ceiling')
    const workers = Math.min(2, most)
    const two = await compareWithSerial(
      { workers, serial: checked('main thread', workers), parallel: checked('worker_threads', workers) },
      { rounds: quick ? 5 : 9, signal },
    )
    bar.update(1, 'computing in Python')
    const inPython = await python(pythonN, counts, signal)

    const svg = drawFib(names, rows, inPython, cores)
    const result = {
      n,
      cores,
      rows,
      two,
      pythonN,
      python: inPython ?? null,
      startMs: Object.fromEntries(names.map((name) => [name, ways[name].startMs])),
      picture: await picture('fib.svg', svg),
    }
    const pythonCells = (k: number) =>
      inPython ? [times(pythonOf(inPython, k, 'threadsMs')), times(pythonOf(inPython, k, 'processesMs'))] : []
    print(
      '',
      table(
        ['k', ...names, ...(inPython ? ['Python threads', 'Python processes'] : [])],
        [
          ...rows.map(({ k, ms }) => [k, ...names.map((name) => milliseconds(ms[name] ?? 0)), ...pythonCells(k)]),
          [
            'start of one',
            ...names.map((name) => (ways[name].startMs ? milliseconds(ways[name].startMs) : '')),
            ...(inPython ? ['', ''] : []),
          ],
        ],
      ),
      '',
      inPython
        ? `Python ${inPython.version}: fib(${pythonN}), as multiples of the time of one, ${milliseconds(inPython.results[0]?.oneMs ?? 0)}.`
        : 'python3 was not found: its columns are missing.',
      `${workers} worker_threads: ${times(two.speedup)} as fast as one thread, ceiling ${times(two.ceiling)}: efficiency ${percent(two.efficiency)}.`,
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ two, cores }) =>
    `${times(two.speedup)} as fast on ${two.workers} threads, ceiling ${times(two.ceiling)} (${cores} cores)`,
})

/** 1 to `most`; on large machines at most ten of them, powers of two and the number of cores among them. */
function countsUpTo(most: number): number[] {
  if (most <= 10) return Array.from({ length: most }, (_, at) => at + 1)
  const powers = Array.from({ length: Math.ceil(Math.log2(most)) }, (_, at) => 2 ** at)
  return [...new Set([...powers, most / 2, most])].sort((a, b) => a - b).slice(-10)
}

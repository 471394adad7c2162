/**
 * Measures on shared, noisy machines. What is compared runs in turn (A B A B …), and its result is the median over
 * several rounds after a warm-up. A speedup is given next to what the machine could give at that moment.
 */
import { Worker } from 'node:worker_threads'
import { coreCount } from './cores.ts'

export interface Rounds {
  /** The number of rounds that count, after one warm-up; 5 by default. */
  rounds?: number
  signal?: AbortSignal
  /** Gets, after each piece of work, the number of pieces done and the total. */
  onProgress?: (done: number, total: number) => void
}

export interface Timing {
  /** The median of `samplesMs`. */
  ms: number
  /** The times of the rounds that count, in order. */
  samplesMs: number[]
}

/**
 * Times several ways to do the same work, in turn. What counts is a way's wall-clock time, or the number of
 * milliseconds that it returns.
 *
 * @returns a timing for each way, by its name
 */
export async function interleave<Name extends string>(
  ways: Record<Name, () => unknown>,
  { rounds = 5, signal, onProgress }: Rounds = {},
): Promise<Record<Name, Timing>> {
  const names = Object.keys(ways) as Name[]
  const samples = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [at, name] of names.entries()) {
      signal?.throwIfAborted()
      const start = performance.now()
      const own = await ways[name]()
      const ms = typeof own === 'number' ? own : performance.now() - start
      if (round > 0) samples.get(name)?.push(ms)
      onProgress?.(round * names.length + at + 1, (rounds + 1) * names.length)
    }
  }
  const timings = names.map((name) => {
    const samplesMs = samples.get(name) ?? []
    return [name, { ms: median(samplesMs), samplesMs }]
  })
  return Object.fromEntries(timings) as Record<Name, Timing>
}

export interface Speedup {
  workers: number
  /** The number of cores that this process may use. */
  cores: number
  /** Median wall-clock times. */
  serialMs: number
  parallelMs: number
  /** serialMs / parallelMs. */
  speedup: number
  /** How much faster the machine ran independent work on the same number of threads, in the same rounds. */
  ceiling: number
  /** speedup / ceiling; 1 is the most that the machine could give. */
  efficiency: number
}

/**
 * Compares a parallel version of some work with the best serial one, and both with the machine's ceiling: how much
 * faster work that shares nothing runs on `workers` threads at that moment. The ceiling is below the number of threads
 * if cores are virtual, shared with others, or slower when all are busy.
 */
export async function compareWithSerial(
  ways: { serial: () => unknown; parallel: () => unknown; workers: number },
  rounds: Rounds = {},
): Promise<Speedup> {
  const { serial, parallel, workers } = ways
  await using spinners = await startSpinners(workers)
  let spin: number | undefined
  const timings = await interleave(
    {
      serial: async () => {
        const start = performance.now()
        const own = await serial()
        // Once, in the round that does not count. As long as a run, so that both see the same disturbances, but 100 ms
        // are enough.
        spin ??= await spinners.calibrate(Math.min(100, Math.max(10, performance.now() - start)))
        return own
      },
      alone: () => spinners.run(1, spin ?? 0),
      parallel,
      together: () => spinners.run(workers, spin ?? 0),
    },
    rounds,
  )
  const speedup = timings.serial.ms / timings.parallel.ms
  const ceiling = (workers * timings.alone.ms) / timings.together.ms
  return {
    workers,
    cores: coreCount(),
    serialMs: timings.serial.ms,
    parallelMs: timings.parallel.ms,
    speedup,
    ceiling,
    efficiency: speedup / ceiling,
  }
}

interface Spinners extends AsyncDisposable {
  /** Runs `steps` steps on each of `threads` threads and returns the milliseconds until all are done. */
  run: (threads: number, steps: number) => Promise<number>
  /** Returns the number of steps that one thread does in about `ms` milliseconds. */
  calibrate: (ms: number) => Promise<number>
}

/**
 * Starts threads that share nothing and only compute. They show what the machine's cores give when nothing else limits
 * them.
 *
 * Like most programs, a step does several independent things at once and uses a small table. A chain of dependent steps
 * would leave most of a core idle, and would not notice if another hardware thread or virtual machine used it.
 */
export async function startSpinners(threads: number): Promise<Spinners> {
  const source = `
    const { parentPort } = require('node:worker_threads')
    const table = new Int32Array(1024)
    // A short function that is called often is compiled early, once, and the same way in all threads. A long loop is
    // not.
    function round(a) {
      let b = 2, c = 3, d = 4
      for (let i = 0; i < 1024; i++) {
        a = (Math.imul(a, 3) + i) | 0
        b = (b ^ table[i]) + 7 | 0
        c = c > b ? (c - i) | 0 : (c + 5) | 0
        d = (d + (a >>> 3)) | 0
        table[i] = d ^ c
      }
      return a ^ b ^ c ^ d
    }
    function spin(steps) {
      let a = 1
      for (let i = 0; i < steps; i++) a = round(a)
      return a
    }
    parentPort.on('message', (steps) => parentPort.postMessage(spin(steps)))`
  // Plain JavaScript without the program's loaders starts at once.
  const workers = Array.from({ length: threads }, () => new Worker(source, { eval: true, execArgv: [] }))
  const ask = (worker: Worker, steps: number) =>
    new Promise<void>((resolve, reject) => {
      worker.once('message', () => {
        worker.off('error', reject)
        resolve()
      })
      worker.once('error', reject)
      worker.postMessage(steps)
    })

  const run = async (count: number, steps: number) => {
    const start = performance.now()
    await Promise.all(workers.slice(0, count).map((worker) => ask(worker, steps)))
    return performance.now() - start
  }
  await run(threads, 2_000)
  return {
    run,
    async calibrate(ms) {
      let steps = 1_000
      for (;;) {
        // The fastest of three: a run may be disturbed, and the first ones are not compiled yet.
        const tookMs = Math.min(await run(1, steps), await run(1, steps), await run(1, steps))
        if (tookMs > ms / 4) return Math.ceil((steps * ms) / tookMs)
        steps *= 4
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

/** Returns the middle value, or the mean of the two middle ones; NaN for an empty list. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/**
 * Returns the value below which a share `q` (0 to 1) of the values lies, with linear interpolation; NaN for an empty
 * list.
 */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort()
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

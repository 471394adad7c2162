/**
 * Measuring on shared, noisy machines: everything that is compared is run in turn (A B A B …) and reported as the median
 * of several rounds after a warm-up, beside what this machine could give at that moment.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

export interface Rounds {
  /** How many counted rounds, after one that is not counted. */
  rounds?: number
  signal?: AbortSignal
  /** Called after each piece of work with the number done and the number in all. */
  onProgress?: (done: number, total: number) => void
}

export interface Timing {
  /** The median of `samplesMs`. */
  ms: number
  /** One time for each counted round, in their order. */
  samplesMs: number[]
}

/**
 * Times several ways to do the same work in turn: one warm-up round, then `rounds` counted ones.
 * A way returns nothing and its wall-clock time is taken, or it returns the milliseconds that count.
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
  /** The cores this process may use. */
  cores: number
  /** Median wall-clock times. */
  serialMs: number
  parallelMs: number
  /** serialMs / parallelMs. */
  speedup: number
  /** How much faster this machine ran independent work on as many threads, in the same rounds. */
  ceiling: number
  /** speedup / ceiling: 1 is all that the machine could give. */
  efficiency: number
}

/**
 * Compares the best serial version of some work with a parallel one, and both with the machine's ceiling: how much
 * faster independent work that shares nothing runs on `workers` threads at that moment. It is below the number of
 * threads where cores are virtual, shared with others, or slowed down when all are busy.
 */
export async function compareWithSerial(
  ways: { serial: () => unknown; parallel: () => unknown; workers: number },
  rounds: Rounds = {},
): Promise<Speedup> {
  const { serial, parallel, workers } = ways
  await using spinners = await startSpinners(workers)
  // As long as a parallel run, so that both see the same disturbances.
  const spin = await spinners.calibrate(100)
  const timings = await interleave(
    {
      serial,
      alone: () => spinners.run(1, spin),
      parallel,
      together: () => spinners.run(workers, spin),
    },
    rounds,
  )
  const speedup = timings.serial.ms / timings.parallel.ms
  const ceiling = (workers * timings.alone.ms) / timings.together.ms
  return {
    workers,
    cores: availableParallelism(),
    serialMs: timings.serial.ms,
    parallelMs: timings.parallel.ms,
    speedup,
    ceiling,
    efficiency: speedup / ceiling,
  }
}

interface Spinners extends AsyncDisposable {
  /** Runs `steps` on each of `threads` threads at once and returns the milliseconds until all are done. */
  run: (threads: number, steps: number) => Promise<number>
  /** How many steps one thread does in about `ms` milliseconds. */
  calibrate: (ms: number) => Promise<number>
}

/**
 * Threads that share nothing and only compute: what the machine's cores give when nothing else limits them. The steps do
 * several independent things at a time, and use a small table, as most programs do. A chain of steps that wait for each
 * other would leave most of a core idle and not notice when that is lent to somebody else: to the core's other hardware
 * thread, or on a virtual machine to a neighbour.
 */
export async function startSpinners(threads: number): Promise<Spinners> {
  const source = `
    const { parentPort } = require('node:worker_threads')
    const table = new Int32Array(1024)
    // A short function that is called often is compiled soon and for good, and alike in all threads; one long loop is not.
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
  // In plain JavaScript and without the program's own loaders, so that the threads start at once.
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
        // The fastest of three: one may be held up, and the first ones are not yet compiled.
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

/** The middle value, or the mean of the two middle ones. NaN for an empty list. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which a share `q` (0 to 1) of the values lies, interpolated linearly. NaN for an empty list. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort()
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** Four ways to compute fib(n) k times, each warm before it is timed, and the same in Python. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { WorkerPool } from '../pool/pool.ts'
import { processes } from '../pool/workers.ts'
import { fib } from './fib.ts'

const file = new URL('./fib.ts', import.meta.url)

/** Runs fib(n) k times and returns the k results. */
export interface Way extends AsyncDisposable {
  run: (n: number, k: number) => Promise<number[]>
  /** How long it took until all its threads or processes were there, for each of them. */
  startMs: number
}

/** One after the other on the thread that asks, which hears Ctrl-C in between. */
export function mainThread(signal?: AbortSignal): Way {
  return {
    async run(n, k) {
      const results: number[] = []
      while (results.length < k) {
        results.push(fib(n))
        await setImmediate(undefined, { signal })
      }
      return results
    },
    startMs: 0,
    [Symbol.asyncDispose]: async () => {},
  }
}

/** A thread for each task, by hand: post a message, wait for the answer. */
export async function rawThreads(most: number): Promise<Way> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData).then(({ fib }) => {
      parentPort.on('message', (n) => parentPort.postMessage(fib(n)))
      parentPort.postMessage('ready')
    })`
  const begin = performance.now()
  const workers = Array.from(
    { length: most },
    () => new Worker(source, { eval: true, execArgv: [], workerData: file.href }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const startMs = (performance.now() - begin) / most
  return {
    async run(n, k) {
      const answers = workers.slice(0, k).map(async (worker) => {
        const answer = once(worker, 'message')
        worker.postMessage(n)
        return (await answer)[0] as number
      })
      return await Promise.all(answers)
    },
    startMs,
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

/** As many threads as there are cores, by a package. */
export async function piscinaPool(threads: number): Promise<Way> {
  const begin = performance.now()
  const pool = new Piscina<number, number>({ filename: file.href, minThreads: threads, maxThreads: threads })
  const run: Way['run'] = (n, k) => Promise.all(Array.from({ length: k }, () => pool.run(n)))
  await run(1, threads)
  return { run, startMs: (performance.now() - begin) / threads, [Symbol.asyncDispose]: () => pool.destroy() }
}

/** A process for each task, on the chapter's own pool. */
export async function childProcesses(most: number): Promise<Way> {
  const begin = performance.now()
  const pool = new WorkerPool<number, number>(processes(file), most)
  const run: Way['run'] = (n, k) => Promise.all(Array.from({ length: k }, () => pool.run(n)))
  await run(1, most)
  return {
    run,
    startMs: (performance.now() - begin) / most,
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

export interface PythonTimes {
  version: string
  results: { k: number; oneMs: number; threadsMs: number; processesMs: number }[]
}

/** What Python's threads and processes make of it; undefined where there is no python3. */
export async function python(n: number, counts: number[], signal?: AbortSignal): Promise<PythonTimes | undefined> {
  const script = fileURLToPath(new URL('./fib.py', import.meta.url))
  try {
    const { stdout } = await promisify(execFile)('python3', [script, String(n), ...counts.map(String)], { signal })
    return JSON.parse(stdout) as PythonTimes
  } catch (error) {
    signal?.throwIfAborted()
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error('python3 could not run src/fib/fib.py', { cause: error })
  }
}

/** Who does the jobs: threads of four pools, processes of Python, and the bare machine. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { ask } from '@repo/common/process/ask'
import { loader, startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { versionOf } from '@repo/common/process/version'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Piscina } from 'piscina'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'
import { enginesPython } from '../brokers/temporal.ts'
import { startAsked } from '../harness/asked.ts'
import { versionOfLibrary } from '../harness/library.ts'
import type { ContenderOf } from '../harness/suite.ts'
import type { Question } from './alone.program.ts'
import { digestOf, type Job, type JobName, type Run } from './jobs.ts'

export interface Done {
  ms: number
  /** Of the result's bytes. */
  digest: string
}

export interface Request {
  name: JobName
  size: number
  job: Job
  /** The input, for programs in another language. */
  file: string
}

export interface Place {
  workers: number
  /** For what is temporary. */
  folder: string
  signal: AbortSignal
}

export type Contender = ContenderOf<Place, { run: (request: Request) => Promise<Done> }>

const here = (file: string) => new URL(file, import.meta.url)
const tasks = here('./tasks.worker.ts')

interface Pool extends AsyncDisposable {
  run: Run
}

/** A contender that has threads do the tasks of chapter 3. */
const pool = (label: string, library: string | undefined, start: (workers: number) => Pool): Contender => ({
  label,
  async start({ workers }) {
    const { run, [Symbol.asyncDispose]: dispose } = start(workers)
    return {
      version:
        library === undefined ? `Node ${process.versions.node}` : `${library} ${await versionOfLibrary(library)}`,
      run: async ({ job }) => ({ ms: await job.onPool(run, workers), digest: digestOf(job.result()) }),
      [Symbol.asyncDispose]: dispose,
    }
  },
})

/** A contender of copies of the best program on one thread, all at once. */
const copies = (label: string, countOf: (workers: number) => number): Contender => ({
  label,
  async start({ workers, signal }) {
    const count = countOf(workers)
    await using stack = new AsyncDisposableStack()
    const programs = await startAll(
      stack,
      Array.from({ length: count }, () => startProgram(here('./alone.program.ts'), { signal })),
    )
    const owned = stack.move()
    return {
      version: `Node ${process.versions.node}`,
      // #region copies
      async run({ name, size }) {
        const question: Question = { name, size }
        const done = await Promise.all(programs.map((program) => ask<Done>(program, question, signal)))
        const [{ digest } = { digest: '' }] = done
        if (done.some((each) => each.digest !== digest)) throw new Error('copies of one program disagree')
        return { ms: Math.max(...done.map(({ ms }) => ms)) / count, digest }
      },
      // #endregion copies
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
})

const python = (label: string, library: string, modules: string[]): Contender => ({
  label,
  async start({ workers, folder }) {
    const version = await versionOf([enginesPython])
    if (version === undefined) throw new Error('needs Dask and NumPy: npm run engines')
    const of = (module: string) =>
      versionOf([enginesPython, '-c', `from importlib.metadata import version; print(version("${module}"))`])
    const versions = await Promise.all(modules.map(async (module) => `${module} ${await of(module)}`))
    const program = startAsked(enginesPython, [fileURLToPath(here('./jobs.py')), library, String(workers)], {
      // Dask keeps files there. A fixed seed, because the hash of a word must be the same in all processes.
      env: { TMPDIR: folder, PYTHONHASHSEED: '1', PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' },
    })
    return {
      version: [`Python ${version}`, ...versions].join(', '),
      run: ({ name: job, file }) => program.ask<Done>({ job, file }),
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  },
})

export const contenders: Record<string, Contender> = {
  ours: pool('chapter 3, on Piscina', 'piscina', (workers) => {
    const pool = new Piscina({
      filename: tasks.href,
      minThreads: workers,
      maxThreads: workers,
      // As in the chapter: a worker has its next task before it needs it, and waits on its event loop.
      concurrentTasksPerWorker: 2,
      atomics: 'disabled',
      execArgv: loader(),
    })
    return { run: (task) => pool.run(task), [Symbol.asyncDispose]: () => pool.destroy() }
  }),
  tinypool: pool('Tinypool', 'tinypool', (workers) => {
    const pool = new Tinypool({
      filename: tasks.href,
      minThreads: workers,
      maxThreads: workers,
      execArgv: loader(),
    })
    return { run: (task) => pool.run(task), [Symbol.asyncDispose]: () => pool.destroy() }
  }),
  workerpool: pool('workerpool', 'workerpool', (workers) => {
    const pool = workerpool.pool(fileURLToPath(here('./workerpool.worker.ts')), {
      workerType: 'thread',
      minWorkers: workers,
      maxWorkers: workers,
      workerThreadOpts: { execArgv: loader() },
    })
    return {
      run: async (task) => await pool.exec('work', [task]),
      [Symbol.asyncDispose]: async () => void (await pool.terminate(true)),
    }
  }),
  threads: pool('worker_threads by hand', undefined, (workers) => {
    const all = Array.from({ length: workers }, () => new Worker(here('./messages.worker.ts'), { execArgv: loader() }))
    const idle = [...all]
    const waiting: ((worker: Worker) => void)[] = []
    function release(worker: Worker) {
      const next = waiting.shift()
      if (next) next(worker)
      else idle.push(worker)
    }
    return {
      async run(task) {
        const worker = idle.pop() ?? (await new Promise<Worker>((resolve) => waiting.push(resolve)))
        const { promise, resolve, reject } = Promise.withResolvers<unknown>()
        worker.once('message', resolve).once('error', reject)
        worker.postMessage(task)
        return await promise.finally(() => {
          worker.off('message', resolve).off('error', reject)
          release(worker)
        })
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(all.map((worker) => worker.terminate()))
      },
    }
  }),
  numpy: python('one process (Python)', 'alone', ['numpy']),
  futures: python('concurrent.futures (Python)', 'futures', ['numpy']),
  dask: python('Dask distributed (Python)', 'dask', ['distributed', 'numpy']),
  alone: copies('one thread', () => 1),
  limit: copies('the limit: copies of it, one a core', (workers) => workers),
}

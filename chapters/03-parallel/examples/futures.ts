/**
 * futures: the life of a task: pending, running, done; waiting with a timeout, failing, being cancelled
 *
 *     pnpm --filter 03-parallel start futures
 *     pnpm --filter 03-parallel start futures --n 41
 *
 * A future is what you hold while a pool works for you (src/pool/future.ts, on the pool in src/pool/pool.ts). Two
 * workers compute Fibonacci numbers, the slow way.
 *
 * Look for: a timeout that ends the wait but not the task; the stack of an error that was thrown on another thread; and
 * the difference between cancelling a queued task, which is free, and a running one, which costs a worker.
 */
import { addAbortListener } from 'node:events'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { milliseconds } from '@repo/common/output/terminal'
import { allSettled, asCompleted, type Future, firstCompleted, submit } from '../src/pool/future.ts'
import { WorkerPool } from '../src/pool/pool.ts'
import { threads } from '../src/pool/workers.ts'

export default example(import.meta, {
  options: { n: wholeNumber(10, 50).default(38).describe('fib(n) is the longest task') },
  quick: { n: 34 },

  async run({ n }, { signal, print }) {
    const begin = performance.now()
    const steps: { atMs: number; what: string }[] = []
    const say = (what: string) => {
      const atMs = performance.now() - begin
      steps.push({ atMs, what })
      print(`${milliseconds(atMs).padStart(8)}  ${what}`)
    }
    await using pool = new WorkerPool<number, number>(threads(new URL('../src/fib/fib.ts', import.meta.url)), 2)
    // Ctrl-C disposes of the pool, and that ends every wait below.
    using _ = addAbortListener(signal, () => void pool[Symbol.asyncDispose]())
    const states = (futures: Future<number>[]) => futures.map(({ state }) => state).join(', ')

    // Three tasks for two workers: one has to wait. A timeout ends the wait for a result, but not the task.
    say('— pending, running, done: three tasks for two workers')
    // #region timeout
    const three = [submit(pool, n), submit(pool, n - 1), submit(pool, n - 2)]
    say(`just handed in: ${states(three)}`)
    const [longest] = three as [Future<number>]
    const timedOut = await longest.result(1).catch((error: Error) => error)
    say(`waited 1 ms for fib(${n}): ${String(timedOut)}; it is ${longest.state}`)
    // #endregion timeout
    const value = await longest.result()
    say(`waited without a limit: fib(${n}) = ${value}; it is ${longest.state}`)
    await allSettled(three)
    say(`all settled: ${states(three)}`)

    // A task that throws: its error arrives as a copy, with the stack of the worker's thread.
    say('— an error')
    const wrong = submit(pool, -1)
    const error = (await wrong.result().catch((error: Error) => error)) as Error
    const thrownAt = /\((?:file:\/\/)?.*\/(src\/[^)]+)\)/.exec(error.stack ?? '')?.[1] ?? 'nowhere'
    say(`${wrong.state}: ${error.name}: ${error.message}; thrown on the worker's thread at ${thrownAt}`)

    // Cancelling a queued task just removes it. A running one is ended together with its worker.
    say('— cancelling')
    const busy = [submit(pool, n), submit(pool, n), submit(pool, n - 6)]
    const [running, other, queued] = busy as [Future<number>, Future<number>, Future<number>]
    say(`handed in: ${states(busy)}`)
    say(`cancelled the queued one: ${queued.cancel()}, it is ${queued.state} and will never start`)
    say(`cancelled a running one: ${running.cancel()}, it is ${running.state}; its thread is ended`)
    say(`cancelled a done one: ${longest.cancel()}, it is ${longest.state}`)
    const next = await submit(pool, n - 6).result()
    say(`fib(${n - 6}) = ${next} from the worker that replaces the one that was ended`)
    await other.result()

    // Several futures: the first that is done, then each as soon as it is done. The longest has begun first, and ends last.
    say('— first completed, and in the order of completion')
    const race = new Map([n - 1, n - 5, n - 9, n - 3].map((index) => [submit(pool, index), index]))
    const name = (future: Future<number>) => `fib(${race.get(future)})`
    say(`first: ${name(await firstCompleted([...race.keys()]))}`)
    const order: string[] = []
    for await (const future of asCompleted([...race.keys()])) {
      order.push(name(future))
      say(`completed: ${name(future)} = ${await future.result()}`)
    }
    signal.throwIfAborted()
    return {
      n,
      value,
      timedOut: String(timedOut),
      error: error.message,
      thrownAt,
      states: [...busy, ...three].map((f) => f.state),
      order,
      steps,
    }
  },
  figure: ({ steps }) => `the life of twelve tasks in ${steps.length} lines`,
})

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'

it('lets no thread pass before all have arrived, again and again', async () => {
  const threads = 3
  const rounds = 200
  // Index 0 is not ours, 1 is the barrier's counter, and from 2 on each thread writes its round.
  const shared = new Int32Array(new SharedArrayBuffer(4 * (2 + threads)))
  const url = JSON.stringify(new URL('../../src/async/barrier.ts', import.meta.url).href)
  const source = `
    import { parentPort, workerData } from 'node:worker_threads'
    const { meet } = await import(${url})
    const { shared, thread, threads, rounds } = workerData
    let early = 0
    for (let round = 1; round <= rounds; round++) {
      Atomics.store(shared, 2 + thread, round)
      meet(shared, threads, 1)
      for (let other = 0; other < threads; other++) if (Atomics.load(shared, 2 + other) < round) early++
    }
    parentPort.postMessage(early)`
  const started = Array.from(
    { length: threads },
    (_, thread) =>
      new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: { shared, thread, threads, rounds },
        execArgv: ['--import', import.meta.resolve('tsx')],
      }),
  )
  const early = await Promise.all(started.map((worker) => once(worker, 'message')))
  expect(early.flat()).toEqual([0, 0, 0])
  expect([...shared]).toEqual([0, threads * rounds, rounds, rounds, rounds])
})

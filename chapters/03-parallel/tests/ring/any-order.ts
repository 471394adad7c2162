/** A property of the ring on real threads: it holds for its atomic steps in any order that fast-check comes up with. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { expect } from 'vitest'
import { Ring, ringMemory } from '../../src/ring/ring.ts'
import { finished, parked, running, type SteppedJob, sleeping, wordsEach } from '../fixtures/steps.ts'

const most = 6
const turns = new Int32Array(new SharedArrayBuffer(4 * wordsEach * most))
let workers: Worker[]

/** The words of the ring on which a thread has slept. */
const sleptOn = new Set<number>()

const stateOf = (index: number) => Atomics.load(turns, index * wordsEach)

/** Waits until a thread has reached its next step, its sleep or its end. */
function settle(index: number) {
  while (stateOf(index) === running) {
    if (Atomics.wait(turns, index * wordsEach, running, 60_000) === 'timed-out')
      throw new Error('a thread does not stop')
  }
}

/**
 * Runs the jobs, one atomic step after the other. `pick` chooses the thread for each step among those that can go on.
 * The last job, which closes the ring, may begin when `mayClose` says so.
 */
async function stepThrough(jobs: SteppedJob[], pick: () => number, mayClose: () => boolean): Promise<number[][]> {
  turns.fill(running)
  const answers = jobs.map(async (job, index) => {
    const worker = workers[index] as Worker
    const answer = once(worker, 'message')
    worker.postMessage(job)
    return (await answer)[0] as number[]
  })
  for (const index of jobs.keys()) settle(index)
  for (;;) {
    for (const index of jobs.keys()) {
      if (stateOf(index) === sleeping) sleptOn.add(Atomics.load(turns, index * wordsEach + 2))
    }
    const ready = [...jobs.keys()].filter(
      (index) => stateOf(index) === parked && (index < jobs.length - 1 || mayClose()),
    )
    if (ready.length === 0) break
    const index = ready[pick() % ready.length] as number
    Atomics.store(turns, index * wordsEach, running)
    Atomics.add(turns, index * wordsEach + 1, 1)
    Atomics.notify(turns, index * wordsEach + 1)
    settle(index)
  }
  const states = [...jobs.keys()].map(stateOf)
  if (states.some((state) => state !== finished))
    throw new Error(`a wake-up was lost: all remaining threads sleep, ${states}`)
  return await Promise.all(answers)
}

/** A ring loses, doubles and reorders nothing, and no thread sleeps for ever, in `runs` orders of steps. */
export async function holdsInAnyOrder(runs: number): Promise<void> {
  const file = new URL('../fixtures/stepped.worker.ts', import.meta.url)
  workers = Array.from({ length: most }, (_, index) => new Worker(file, { execArgv: [], workerData: { turns, index } }))
  await using _workers = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))),
  }
  sleptOn.clear()
  const schedule = fc.record({
    first: fc.constantFrom(0, -4),
    producers: fc.array(fc.integer({ min: 2, max: 6 }), { minLength: 1, maxLength: 2 }),
    // Without a consumer, a close alone can wake those who wait for room.
    consumers: fc.integer({ min: 0, max: 2 }),
    // A close wakes all threads and so hides a lost wake-up: it comes early only now and then.
    closeEarly: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    // With small numbers one thread runs for a long time, while others stand still in the middle of something.
    picks: fc.infiniteStream(fc.oneof(fc.constant(0), fc.nat(20))),
  })
  await fc.assert(
    fc.asyncProperty(schedule, async ({ first, producers, consumers, closeEarly, picks }) => {
      const memory = ringMemory(2, 8, first)
      const jobs: SteppedJob[] = [
        ...producers.map((put, producer) => ({ memory, put, producer })),
        ...Array.from({ length: consumers }, () => ({ memory, take: true as const })),
        { memory, look: 3 },
        { memory, close: true },
      ]
      const allIn = () => producers.every((_, index) => stateOf(index) === finished)
      const results = await stepThrough(
        jobs,
        () => picks.next().value ?? 0,
        () => closeEarly || consumers === 0 || allIn(),
      )

      // The numbers of sleeping consumers and producers: who has woken up counts no longer.
      expect([memory.control[33], memory.control[49]]).toEqual([0, 0])
      const left: string[] = []
      const ring = new Ring(memory, 0)
      for (const item = new Int32Array(2); ring.take(item); ) left.push(String([...item]))

      const put = results.slice(0, producers.length)
      const sizes = results.at(-2) ?? []
      expect(sizes).toHaveLength(3)
      for (const size of sizes) {
        expect(size).toBeGreaterThanOrEqual(0)
        expect(size).toBeLessThanOrEqual(2)
      }
      const taken = results.slice(producers.length, -2).map((items) => {
        const pairs = Array.from({ length: items.length / 2 }, (_, at) => [items[2 * at], items[2 * at + 1]])
        for (const producer of producers.keys()) {
          const numbers = pairs.filter(([from]) => from === producer).map(([, number]) => number as number)
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
        }
        return pairs.map(String)
      })
      const accepted = put.flatMap((numbers, producer) => numbers.map((number) => String([producer, number])))
      expect([...taken.flat(), ...left].sort()).toEqual(accepted.sort())
      if (consumers > 0) expect(left).toEqual([])
      if (!closeEarly && consumers > 0) expect(put.map(({ length }) => length)).toEqual(producers)
    }),
    // No shrinking: after a failure the threads stand still in the middle of something.
    { numRuns: runs, endOnFailure: true },
  )
  // Threads did wait asleep, for an item and for room.
  expect([...sleptOn].sort()).toEqual([32, 48])
}

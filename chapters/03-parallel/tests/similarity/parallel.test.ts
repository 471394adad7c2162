/** The whole job by many workers against the same by one thread. */
import { compareAlone } from '@repo/common/workloads/all-pairs'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import fc from 'fast-check'
import { Piscina } from 'piscina'
import { describe, expect, it } from 'vitest'
import { compareInParallel } from '../../src/similarity/parallel.ts'
import work, { type Task } from '../../src/similarity/similarity.worker.ts'
import { WholeJob } from '../../src/similarity/whole-job.ts'

const count = 5

const onOneThread = (texts: string[], size: number) => compareAlone(texts, size, { count })

describe('all pairs compared in parallel', () => {
  it('are what one thread finds, for any texts and any number of workers', async () => {
    const words = fc.constantFrom('we', 'the', 'people', 'of', 'representatives', 'мир', 'лиса')
    const texts = fc.array(
      fc.array(words, { maxLength: 30 }).map((some) => some.join(' ')),
      { minLength: 2, maxLength: 9 },
    )
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (some, size, workers) => {
          const found = await compareInParallel(some, size, { count, workers, run: async (task) => work(task) })
          const expected = await onOneThread(some, size)
          expect(found.table).toEqual(expected.table)
          expect(found.top).toEqual(expected.top)
          expect(found.index.sizes).toEqual(expected.index.sizes)
        },
      ),
    )
  })

  it('by threads: real addresses, other alphabets, and more different words than expected', async () => {
    const texts = [
      ...stateOfTheUnion()
        .slice(215)
        .map(({ text }) => text),
      // 90,000 words that are all different, so that the table of words must grow while all threads use it.
      ...[0, 1].map((text) => Array.from({ length: 90_000 }, (_, at) => `w${letters(at + 30_000 * text)}`).join(' ')),
      ...['Быстрая лиса бежит в лес', 'быстрая лиса бежит домой', '我们在北京学习计算机', ''],
    ]
    await using pool = new Piscina<Task, unknown>({
      filename: new URL('../../src/similarity/similarity.worker.ts', import.meta.url).href,
      minThreads: 3,
      maxThreads: 3,
      atomics: 'disabled',
    })
    const run = (task: Task) => pool.run(task)
    const expected = await onOneThread(texts, 2)
    // Three times in the same memory: threads meet in another order each time.
    const job = new WholeJob(count, (options) => compareInParallel(texts, 2, { ...options, workers: 3, run }))
    for (let round = 0; round < 3; round++) {
      await job.run()
      expect(job.result?.table.cells).toEqual(expected.table.cells)
      expect(job.result?.top).toEqual(expected.top)
    }
    expect(expected.top[0]).toMatchObject({ score: 59_999 / 119_999 })
  })
})

const letters = (number: number) => number.toString(26).replaceAll(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)])

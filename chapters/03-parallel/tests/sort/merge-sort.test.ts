/** The parallel merge sort against TypedArray.prototype.sort, number by number, on input that sorts get wrong. */
import fc from 'fast-check'
import { Piscina } from 'piscina'
import { describe, expect, it } from 'vitest'
import { fillNumbers, inputKinds } from '../../src/sort/input.ts'
import { type NumberType, numberTypes, sortMemory } from '../../src/sort/numbers.ts'
import {
  doMergeSortTask,
  type MergeSortTask,
  mergePath,
  parallelMergeSort,
} from '../../src/sort/parallel-merge-sort.ts'

/** Sorts on this thread. The tasks of one phase are done forwards or backwards: workers may do them in any order. */
async function sorted(type: NumberType, values: number[], runs: number, backwards = false): Promise<number[]> {
  const memory = sortMemory(type, values.length)
  memory.numbers.set(values)
  let waiting: (() => void)[] = []
  const work = (task: MergeSortTask) =>
    new Promise<number>((resolve) => {
      if (waiting.length === 0) {
        // Once all tasks of the phase are handed in.
        setImmediate(() => {
          const tasks = backwards ? waiting.reverse() : waiting
          waiting = []
          for (const run of tasks) run()
        })
      }
      waiting.push(() => resolve(doMergeSortTask(memory, task)))
    })
  await parallelMergeSort(memory, runs, work)
  return Array.from(memory.numbers)
}

const runs = fc.integer({ min: 1, max: 9 })
const int = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -2, max: 2 }))
const special = fc.constantFrom(Number.NaN, 0, -0, Infinity, -Infinity, Number.MIN_VALUE, -Number.MIN_VALUE, 1)
const float = fc.oneof(fc.double(), special)

describe('the parallel merge sort', () => {
  it('sorts whole numbers as TypedArray.sort does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(int, { maxLength: 200 }), runs, fc.boolean(), async (values, runs, backwards) => {
        expect(await sorted('int32', values, runs, backwards)).toEqual(Array.from(Int32Array.from(values).sort()))
      }),
      { numRuns: 300 },
    )
  })

  it('sorts doubles as TypedArray.sort does: −0 before 0, NaN last', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(float, { maxLength: 200 }), runs, fc.boolean(), async (values, runs, backwards) => {
        // toEqual tells −0 from 0, and NaN equals NaN.
        expect(await sorted('float64', values, runs, backwards)).toEqual(Array.from(Float64Array.from(values).sort()))
      }),
      { numRuns: 300 },
    )
  })

  it('sorts as TypedArray.sort does on three threads at once', async () => {
    const memory = sortMemory('float64', 300)
    const filename = new URL('../../src/sort/sort.worker.ts', import.meta.url).href
    await using pool = new Piscina<MergeSortTask, number>({
      filename,
      workerData: memory,
      minThreads: 3,
      maxThreads: 3,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(float, { minLength: 300, maxLength: 300 }), async (values) => {
        memory.numbers.set(values)
        await parallelMergeSort(memory, 3, (task) => pool.run(task))
        expect(Array.from(memory.numbers)).toEqual(Array.from(Float64Array.from(values).sort()))
      }),
    )
  })

  it.each(inputKinds)('sorts %s input of every type that does not divide evenly into runs', async (input) => {
    for (const type of numberTypes) {
      const values = sortMemory(type, 10_007).numbers
      fillNumbers(values, input, 7)
      expect(await sorted(type, Array.from(values), 3)).toEqual(Array.from(values.slice().sort()))
    }
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])(
    'refuses to cut the numbers into %s runs, and leaves them',
    async (runs) => {
      const memory = sortMemory('float64', 3)
      memory.numbers.set([3, 1, 2])
      const work = async (task: MergeSortTask) => doMergeSortTask(memory, task)
      await expect(parallelMergeSort(memory, runs, work)).rejects.toThrow(
        `runs: received ${runs}; accepts a whole number from 1`,
      )
      expect(Array.from(memory.numbers)).toEqual([3, 1, 2])
    },
  )

  it.each([undefined, Number.NaN, 1.5, -1, 4])('stops when the work answers %s', async (answer) => {
    const memory = sortMemory('float64', 3)
    memory.numbers.set([3, 1, 2])
    await expect(parallelMergeSort(memory, 1, async () => answer as number)).rejects.toThrow(
      new RangeError(`work: received ${answer} for a run; accepts where its NaN begin, from 0 to 3`),
    )
    expect(Array.from(memory.numbers)).toEqual([3, 1, 2])
  })

  it('never has more runs than numbers', async () => {
    const memory = sortMemory('float64', 5)
    memory.numbers.set([3, Number.NaN, 0, -0, 1])
    const tasks: MergeSortTask[] = []
    const work = async (task: MergeSortTask) => {
      tasks.push(task)
      return doMergeSortTask(memory, task)
    }
    await parallelMergeSort(memory, 1_000_000_000, work)
    expect(Array.from(memory.numbers)).toEqual([-0, 0, 1, 3, Number.NaN])
    expect(tasks.filter(({ phase }) => phase === 'sort')).toHaveLength(5)
    expect(tasks.length).toBeLessThan(25)
  })

  it('has memory of the type that was asked for', () => {
    const { numbers, scratch } = sortMemory('int32', 3)
    for (const part of [numbers, scratch]) {
      expect(part).toBeInstanceOf(Int32Array)
      expect(part.length).toBe(3)
      expect(part.buffer).toBeInstanceOf(SharedArrayBuffer)
    }
    expect(sortMemory('float64', 3).numbers).toBeInstanceOf(Float64Array)
  })

  it('sorts all NaN, one number, and none', async () => {
    expect(await sorted('float64', [Number.NaN, Number.NaN, Number.NaN], 2)).toEqual([NaN, NaN, NaN])
    expect(await sorted('float64', [NaN, 1, NaN, -0], 4)).toEqual([-0, 1, NaN, NaN])
    expect(await sorted('int32', [5], 4)).toEqual([5])
    expect(await sorted('int32', [], 2)).toEqual([])
  })
})

describe('the merge path', () => {
  it('says how many of the first numbers come from the left', () => {
    const part = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 30 })
    fc.assert(
      fc.property(part, part, (a, b) => {
        const left = a.sort((x, y) => x - y)
        const right = b.sort((x, y) => x - y)
        const { numbers } = sortMemory('int32', a.length + b.length)
        numbers.set([...left, ...right])
        const ranges = [
          { from: 0, to: a.length },
          { from: a.length, to: a.length + b.length },
        ] as const
        // Stable: equal numbers of the left come first.
        const merged = [...left.map((value) => ({ value, side: 0 })), ...right.map((value) => ({ value, side: 1 }))]
        merged.sort((x, y) => x.value - y.value)
        for (let count = 0; count <= merged.length; count++) {
          const expected = merged.slice(0, count).filter(({ side }) => side === 0).length
          expect(mergePath(numbers, ...ranges, count)).toBe(expected)
        }
      }),
    )
  })
})

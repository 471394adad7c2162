/**
 * sort: a parallel radix sort in shared memory against the best sort on one thread, up to 50 million numbers and more
 *
 *     pnpm --filter 03-parallel start sort
 *     pnpm --filter 03-parallel start sort --numbers 50000000 --type float64
 *     pnpm --filter 03-parallel start sort --input few --workers 2
 *     pnpm --filter 03-parallel start sort --growth
 *
 * The radix sort looks at the digits of the numbers instead of comparing them. Each worker moves its part of the numbers
 * into buckets by their first digits, and then the workers share the buckets (src/sort/parallel-radix-sort.ts). What has
 * no digits must be compared: then each worker sorts a part, and the parts are merged, which the workers share as well
 * (src/sort/parallel-merge-sort.ts).
 *
 * Look for: which sort is the best on one thread, for every speedup is told against it; the merge sort, which needs
 * both cores and is still slower than that; and --input few, whose eight values one pass puts in order.
 */
import { aborted } from '@repo/common/async/abort'
import { costOf, growthSlope } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, oneOf, seedNumber, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial, interleave } from '@repo/common/measure'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { bytes, count, howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { fillNumbers, inputKinds } from '../src/sort/input.ts'
import { arrays, type Numbers, numberTypes, sortMemory } from '../src/sort/numbers.ts'
import { type MergeSortTask, parallelMergeSort } from '../src/sort/parallel-merge-sort.ts'
import { parallelRadixSort, type RadixTask, radixMemory } from '../src/sort/parallel-radix-sort.ts'
import { radixSort } from '../src/sort/radix-sort.ts'

export default example(import.meta, {
  options: {
    numbers: wholeNumber(1, 2 ** 31 - 1)
      .default(20_000_000)
      .describe('how many to sort'),
    type: oneOf(...numberTypes)
      .default('int32')
      .describe('whole numbers, or floats with NaN and −0'),
    input: oneOf(...inputKinds)
      .default('random')
      .describe('their order; few: eight values, many times each'),
    workers: workerCount(64).describe('worker threads'),
    seed: seedNumber().default(1).describe('decides the random numbers'),
    growth: flag().describe('also draw time against size, from a hundredth of the numbers to all'),
  },
  quick: { numbers: 2_000_000 },

  async run({ numbers, type, input, workers, seed, growth }, { signal, quick, print, picture }) {
    const size = numbers * arrays[type].BYTES_PER_ELEMENT
    // The input, a copy for TypedArray.sort, the shared numbers and their scratch memory, the merge sort's own runs.
    const needed = 5 * size
    const available = process.availableMemory()
    if (needed > available) {
      const most = Math.floor((available * (numbers / needed)) / 1000) * 1000
      const why = `${numbers} need ${bytes(needed)}, and ${bytes(available)} is free`
      throw new UsageError('--numbers', numbers, `at most ${most} of type ${type} here: ${why}`)
    }
    print(`Sorting ${count(numbers)} numbers of type ${type} (${bytes(size)}), input ${input} …`)
    const original = new arrays[type](numbers)
    fillNumbers(original, input, seed)
    const sorted = original.slice()

    // The numbers lie in memory that all workers share; a task says what to do with which part of them.
    const memory = radixMemory(sortMemory(type, numbers), workers)
    await using pool = new Piscina<MergeSortTask | RadixTask, number>({
      filename: new URL('../src/sort/sort.worker.ts', import.meta.url).href,
      workerData: memory,
      minThreads: workers,
      maxThreads: workers,
    })
    // One listener for all tasks: with a signal in each, the pool would start new workers when it is disposed of.
    const stopped = aborted(signal)
    const work = (task: MergeSortTask | RadixTask) => Promise.race([pool.run(task), stopped])

    // Each sort gets the first `length` unsorted numbers in the same memory; only the sorting is timed.
    const timed = (sort: (target: Numbers<SharedArrayBuffer>) => unknown, length: number) => async () => {
      const target = memory.numbers.subarray(0, length)
      target.set(original.subarray(0, length) as never)
      const start = performance.now()
      await sort(target)
      const ms = performance.now() - start
      if (length === numbers && !sameBits(target, sorted)) throw new Error('the sorts disagree')
      return ms
    }
    const ways = (length = numbers) => ({
      // First, for the others are compared with it; and on memory of its own, for V8 would copy shared memory to sort it.
      array: async () => {
        const own = sorted.subarray(0, length)
        own.set(original.subarray(0, length) as never)
        const start = performance.now()
        own.sort()
        return performance.now() - start
      },
      radix: timed((target) => radixSort(target, memory.scratch), length),
      merge: timed((target) => parallelMergeSort({ ...memory, numbers: target }, workers, work), length),
      parallelRadix: timed((target) => parallelRadixSort({ ...memory, numbers: target }, workers, work), length),
    })

    // Which sort is the best on one thread? And how many workers beat it?
    const { array, radix, merge, parallelRadix } = ways()
    const onWorkers = (few: number) =>
      timed((target) => parallelRadixSort({ ...memory, numbers: target }, few, work), numbers)
    const fewer = [1, 2].filter((few) => few < workers)
    const others = Object.fromEntries(fewer.map((few) => [`on ${few}`, onWorkers(few)]))
    using bar = progress('sorting', 1)
    const rounds = { rounds: quick ? 7 : 5, signal, onProgress: (done: number, of: number) => bar.update(done / of) }
    const timings = await interleave<string>({ array, radix, merge, ...others }, { ...rounds, rounds: 3 })
    const msOf = (name: string) => timings[name]?.ms ?? Number.NaN
    const best = msOf('radix') <= msOf('array') ? 'radix sort' : 'TypedArray.sort'

    // That one against the parallel sort, and both against what the machine gives.
    const serial = best === 'radix sort' ? radix : array
    const measured = await compareWithSerial({ workers, serial, parallel: parallelRadix }, rounds)
    const { serialMs, parallelMs, ceiling, efficiency, cores } = measured
    const runs = [...fewer.map((few) => ({ workers: few, ms: msOf(`on ${few}`) })), { workers, ms: parallelMs }]
    // One worker does what the radix sort on one thread does; if it is faster, then by chance.
    const cost = costOf(serialMs, workers === 1 ? runs : runs.slice(1))

    const row = (name: string, threads: number, ms: number) => {
      return [name, threads, milliseconds(ms), `${(numbers / ms / 1000).toFixed(1)} M/s`, times(serialMs / ms)]
    }
    print(
      '',
      table(
        ['', 'threads', 'time', 'numbers', `against ${best}`],
        [
          row('TypedArray.sort', 1, best === 'TypedArray.sort' ? serialMs : msOf('array')),
          row('radix sort', 1, best === 'radix sort' ? serialMs : msOf('radix')),
          row('parallel merge sort', workers, msOf('merge')),
          ...runs.map((run) => row('parallel radix sort', run.workers, run.ms)),
          ["this machine's ceiling", workers, '', '', times(ceiling)],
        ],
      ),
      '',
      describeCost(cost),
      `Efficiency ${percent(efficiency)} of the ceiling on ${howMany(cores, 'core')}.`,
      'All results are equal, number by number.',
    )

    const grown = growth ? await measureGrowth(numbers, ways, { ...rounds, rounds: 3 }) : undefined
    if (grown) {
      const drawing = drawGrowth(`Sorting numbers of type ${type}`, 'numbers', grown)
      const slopes = Object.entries(grown).map(([name, points]) => `${name} ${growthSlope(points).toFixed(2)}`)
      print('', `Slopes: ${slopes.join(', ')}.`, `Picture: ${await picture('sort-growth.svg', drawing)}`)
    }
    const ms = { typedArrayMs: msOf('array'), radixMs: msOf('radix'), mergeMs: msOf('merge') }
    return { numbers, type, input, ...measured, ...ms, best, ...cost, runs, growth: grown, sorted: true }
  },
  figure: ({ numbers, speedup, workers, ceiling, best, cost }) =>
    `${count(numbers)} numbers ${times(speedup)} as fast as the ${best} on ${howMany(workers, 'thread')}, ceiling ${times(ceiling)}; COST ${cost}`,
})

type Ways = Record<'array' | 'radix' | 'merge' | 'parallelRadix', () => Promise<number>>

/** Times all ways for five sizes: over two decades, up to all numbers. */
async function measureGrowth(
  numbers: number,
  ways: (length: number) => Ways,
  rounds: Parameters<typeof interleave>[1],
) {
  const sizes = [...new Set([0.01, 0.0316, 0.1, 0.316, 1].map((share) => Math.max(1, Math.round(share * numbers))))]
  const points = {
    'TypedArray.sort': [],
    'radix sort': [],
    'parallel merge sort': [],
    'parallel radix sort': [],
  } as Record<string, { size: number; ms: number }[]>
  for (const size of sizes) {
    const { array, radix, merge, parallelRadix } = await interleave(ways(size), rounds)
    for (const [at, { ms }] of [array, radix, merge, parallelRadix].entries())
      Object.values(points)[at]?.push({ size, ms })
  }
  return points
}

function sameBits(a: Numbers, b: Numbers): boolean {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Numbers) => Buffer.from(buffer, byteOffset, byteLength)
  return bytesOf(a).equals(bytesOf(b))
}

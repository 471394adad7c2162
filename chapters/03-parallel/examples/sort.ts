/**
 * sort: a parallel merge sort in shared memory against TypedArray.sort, up to 50 million numbers and more
 *
 *     pnpm --filter 03-parallel start sort
 *     pnpm --filter 03-parallel start sort --numbers 50000000 --type float64
 *     pnpm --filter 03-parallel start sort --input few --workers 2
 *
 * Each worker sorts a part. Then the parts are merged, and each merge is cut into parts that do not depend on each
 * other, so that no core waits while another one merges (src/sort/parallel-sort.ts).
 *
 * Look for: the speedup compared with the ceiling; --input sorted, where there is little to gain; and, for int32, the
 * radix sort, which beats both on one thread because it does not compare at all.
 */
import { example } from '@repo/common/example/example'
import { oneOf, seedNumber, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial, interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { Piscina } from 'piscina'
import { fillNumbers, inputKinds } from '../src/sort/input.ts'
import { parallelSort, type SortTask, sortMemory } from '../src/sort/parallel-sort.ts'
import { radixSort } from '../src/sort/radix-sort.ts'

export default example(import.meta, {
  options: {
    numbers: wholeNumber(1, 10_000_000_000).default(20_000_000).describe('how many to sort'),
    type: oneOf('int32', 'float64').default('int32').describe('whole numbers of 4 bytes, or doubles with NaN and −0'),
    input: oneOf(...inputKinds)
      .default('random')
      .describe('their order; few: eight values, many times each'),
    workers: workerCount(64).describe('worker threads'),
    seed: seedNumber().default(1).describe('decides the random numbers'),
  },
  quick: { numbers: 2_000_000 },

  async run({ numbers, type, input, workers, seed }, { signal, quick, print }) {
    const size = numbers * (type === 'int32' ? 4 : 8)
    // The input, the copy that one thread sorts, the shared numbers, their scratch memory, and the workers' own runs.
    const needed = 5 * size
    const available = process.availableMemory()
    if (needed > available) {
      const most = Math.floor((available * (numbers / needed)) / 1000) * 1000
      throw new UsageError('--numbers', numbers, `at most ${most} of type ${type} here: ${bytes(available)} is free`)
    }
    print(`Sorting ${count(numbers)} numbers of type ${type} (${bytes(size)}), input ${input} …`)
    const original = type === 'int32' ? new Int32Array(numbers) : new Float64Array(numbers)
    fillNumbers(original, input, seed)

    // The numbers lie in memory that all workers share; a task says which part of them to sort or to merge.
    const memory = sortMemory(type, numbers)
    await using pool = new Piscina<SortTask, number>({
      filename: new URL('../src/sort/parallel-sort.worker.ts', import.meta.url).href,
      workerData: memory,
      minThreads: workers,
      maxThreads: workers,
    })
    // Each sort gets the same unsorted numbers; only the sorting is timed.
    const timed = async (target: Int32Array | Float64Array, sort: () => unknown) => {
      target.set(original as never)
      const start = performance.now()
      await sort()
      return performance.now() - start
    }
    const serial = original.slice()
    using bar = progress('sorting', 1)
    const rounds = { rounds: quick ? 7 : 5, signal, onProgress: (done: number, of: number) => bar.update(done / of) }
    const measured = await compareWithSerial(
      {
        workers,
        serial: () => timed(serial, () => serial.sort()),
        parallel: () =>
          timed(memory.numbers, () => parallelSort(memory, workers, (task) => pool.run(task, { signal }))),
      },
      rounds,
    )
    const same = Buffer.compare(Buffer.from(memory.numbers.buffer), Buffer.from(serial.buffer)) === 0
    if (!same && !serial.every((value, at) => Object.is(value, memory.numbers[at]))) {
      throw new Error('the parallel sort and TypedArray.sort disagree')
    }

    // For comparison, an algorithm that knows more about its numbers.
    let radixMs: number | undefined
    if (serial instanceof Int32Array) {
      const { radix } = await interleave(
        { radix: () => timed(serial, () => radixSort(serial)) },
        { ...rounds, rounds: 3 },
      )
      radixMs = radix.ms
      if (!serial.every((value, at) => value === memory.numbers[at])) throw new Error('the radix sort is wrong')
    }

    const { serialMs, parallelMs, speedup, ceiling, efficiency, cores } = measured
    const row = (name: string, threads: number, ms: number) => {
      return [name, threads, milliseconds(ms), `${(numbers / ms / 1000).toFixed(1)} M/s`]
    }
    const rows = [
      [...row('TypedArray.sort', 1, serialMs), ''],
      [...row('parallel merge sort', workers, parallelMs), times(speedup)],
      ["this machine's ceiling", workers, '', '', times(ceiling)],
    ]
    if (radixMs !== undefined) rows.push([...row('radix sort', 1, radixMs), times(serialMs / radixMs)])
    print(
      '',
      table(['', 'threads', 'time', 'numbers', 'speedup'], rows),
      '',
      `Efficiency ${percent(efficiency)} of the ceiling on ${cores} cores.`,
      'All results are equal, number by number.',
    )
    return { numbers, type, input, ...measured, radixMs, sorted: true }
  },
  figure: ({ numbers, speedup, workers, ceiling }) =>
    `${count(numbers)} numbers ${times(speedup)} as fast as TypedArray.sort on ${workers} threads, ceiling ${times(ceiling)}`,
})

/** The radix sorts against TypedArray.prototype.sort, bit by bit, on numbers and sizes that sorts get wrong. */
import { drawFrom } from '@repo/common/async/random'
import fc from 'fast-check'
import { Piscina } from 'piscina'
import { describe, expect, it } from 'vitest'
import { cachedNumbers, cutIntoBuckets, firstDigits } from '../../src/sort/buckets.ts'
import { fewNumbers } from '../../src/sort/digits.ts'
import { fillNumbers, inputKinds } from '../../src/sort/input.ts'
import { type Numbers, type NumberType, numberTypes, sortMemory } from '../../src/sort/numbers.ts'
import { doRadixTask, parallelRadixSort, type RadixTask, radixMemory } from '../../src/sort/parallel-radix-sort.ts'
import { radixSort } from '../../src/sort/radix-sort.ts'

const bytesOf = ({ buffer, byteOffset, byteLength }: Numbers) => Buffer.from(buffer, byteOffset, byteLength)

/** Sorts a copy on one thread. */
function onOneThread(values: Numbers): Numbers {
  const sorted = values.slice()
  radixSort(sorted, values.slice())
  return sorted
}

/** Sorts a copy by the tasks for several workers, which this thread does, the last ones first. */
async function byWorkers(values: Numbers, workers: number, tasks: RadixTask[] = []): Promise<Numbers> {
  const memory = radixMemory(sortMemory(typeOf(values), values.length), workers)
  memory.numbers.set(values as never)
  let waiting: (() => void)[] = []
  const work = (task: RadixTask) =>
    new Promise<void>((resolve) => {
      tasks.push(task)
      if (waiting.length === 0) {
        // Once all tasks of the phase are handed in.
        setImmediate(() => {
          const backwards = waiting.reverse()
          waiting = []
          for (const run of backwards) run()
        })
      }
      waiting.push(() => resolve(doRadixTask(memory, task)))
    })
  // The bytes of NaN survive: set() between arrays of the same type copies bytes.
  await parallelRadixSort(memory, workers, work)
  return memory.numbers
}

function typeOf(values: Numbers): NumberType {
  return numberTypes.find((type) => sortMemory(type, 0).numbers.constructor === values.constructor) ?? 'int32'
}

async function expectSorted(values: Numbers, workers: readonly number[] = [1, 2, 3, 7]) {
  const expected = bytesOf(values.slice().sort())
  const results = [onOneThread(values)]
  for (const count of workers) results.push(await byWorkers(values, count))
  for (const result of results) expect(bytesOf(result).equals(expected)).toBe(true)
}

const special = [Number.NaN, 0, -0, Infinity, -Infinity, 5e-324, -5e-324, 1e-40, -1e-40, 2 ** 31, -(2 ** 31), 1]
const number = fc.oneof(fc.double(), fc.constantFrom(...special), fc.integer(), fc.integer({ min: -2, max: 2 }))

/** Numbers that share their upper bits, but for the given number of lower ones. */
function alike(type: NumberType, length: number, bits: number, seed: number): Numbers {
  const { numbers } = sortMemory(type, length)
  const words = new Uint32Array(numbers.buffer)
  const draw = drawFrom(seed)
  const perNumber = words.length / length
  for (let at = 0; at < words.length; at++) {
    // The upper word of a double comes last.
    const varying = perNumber === 2 && at % 2 === 0 ? Math.min(bits, 32) : Math.max(0, bits - 32 * (perNumber - 1))
    words[at] = 0xbabe_cafe ^ (varying === 0 ? 0 : draw.whole(0, 2 ** varying - 1))
  }
  return numbers
}

describe.each(numberTypes)('the radix sorts of %s', (type) => {
  it('sort as TypedArray.sort does', async () => {
    const lists = fc.array(number, { maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(lists, fc.constantFrom(1, 2, 3, 7), async (list, workers) => {
        const { numbers } = sortMemory(type, list.length)
        numbers.set(list)
        await expectSorted(numbers, [workers])
      }),
      { numRuns: 25 },
    )
  })

  it.each([0, 1, 2, fewNumbers, fewNumbers + 1])('sort %d numbers', async (length) => {
    const { numbers } = sortMemory(type, length)
    fillNumbers(numbers, 'random', 3)
    await expectSorted(numbers)
  })

  it.each(inputKinds)('sort %s input of about as many numbers as a bucket takes, and of many more', async (input) => {
    for (const length of [cachedNumbers + 1, 3 * cachedNumbers + 7]) {
      const { numbers } = sortMemory(type, length)
      fillNumbers(numbers, input, 5)
      await expectSorted(numbers, length > 2 * cachedNumbers ? [2, 7] : [3])
    }
  })

  const lowestBits = type === 'float64' ? [1, 15, 17, 31, 33, 47, 52] : [1, 15, 17, 23]
  it.each(lowestBits)('sort numbers that differ in their lowest %d bits', async (bits) => {
    await expectSorted(alike(type, cachedNumbers + 1, bits, bits), [2])
  })

  it('sort numbers that differ in some bits in the middle', async () => {
    const { numbers } = sortMemory(type, cachedNumbers + 1)
    const words = new Uint32Array(numbers.buffer)
    const draw = drawFrom(8)
    for (let at = 0; at < words.length; at++) words[at] = 0xc0de_cafe ^ (draw.whole(0, 2 ** 12 - 1) << 7)
    if (words.length > numbers.length) for (let at = 0; at < words.length; at += 2) words[at] = 0xc0de_cafe
    await expectSorted(numbers, [2])
  })

  it('sort one large bucket among many small ones', async () => {
    const { numbers } = sortMemory(type, 3 * cachedNumbers)
    fillNumbers(numbers, 'random', 9)
    for (let at = 0; at < numbers.length; at += 4) numbers.fill(1000, at, at + 3)
    await expectSorted(numbers, [1, 3])
  })
})

describe.each(['float32', 'float64'] as const)('NaN in the radix sorts of %s', (type) => {
  it('come last in the order of the input, whatever their signs and payloads', async () => {
    const words = type === 'float64' ? 2 : 1
    const { numbers } = sortMemory(type, 2 * cachedNumbers + 5)
    fillNumbers(numbers, 'random', 1)
    const bits = new Uint32Array(numbers.buffer)
    const draw = drawFrom(2)
    // The bits of infinity and some more. One bit is enough, far below those of the first digit.
    const infinity = type === 'float64' ? 0x7ff0_0000 : 0x7f80_0000
    for (let at = 0; at < numbers.length; at += 3) {
      if (words === 2) bits[2 * at] = draw.whole(0, 2) + (at % 2)
      bits[words * at + words - 1] = infinity | (draw.whole(0, 1) << 31) | (draw.whole(1, 2) << draw.whole(0, 18))
      if (words === 2 && at % 5 === 0) bits.set([1 + (at % 7), infinity | (draw.whole(0, 1) << 31)], 2 * at)
    }
    const size = 4 * words
    const piece = (memory: Buffer, at: number) => memory.subarray(size * at, size * (at + 1))
    const input = bytesOf(numbers)
    const at = Array.from(numbers.keys())
    const isNaNAt = at.map((place) => Number.isNaN(numbers[place]))
    const rest = at.filter((place) => !isNaNAt[place]).sort((a, b) => compare(numbers[a], numbers[b]))
    const expected = Buffer.concat(
      [...rest, ...at.filter((place) => isNaNAt[place])].map((place) => piece(input, place)),
    )
    expect(bytesOf(onOneThread(numbers)).equals(expected)).toBe(true)
    for (const workers of [1, 3]) expect(bytesOf(await byWorkers(numbers, workers)).equals(expected)).toBe(true)
  })

  it('may be all there is', async () => {
    const { numbers } = sortMemory(type, 2 * cachedNumbers)
    const words = new Int32Array(numbers.fill(Number.NaN).buffer)
    // Other payloads: with the sign in floats of 32 bits, without it in doubles.
    for (let at = 0; at < words.length; at += 4) words[at] = -(at % 3) - 1
    for (const sorted of [onOneThread(numbers), await byWorkers(numbers, 2)]) {
      expect(bytesOf(sorted).equals(bytesOf(numbers))).toBe(true)
    }
  })
})

/** The order of TypedArray.sort, for numbers that are not NaN. */
function compare(a = 0, b = 0): number {
  return a - b || (Object.is(a, b) ? 0 : a === b ? (Object.is(a, -0) ? -1 : 1) : a < b ? -1 : 1)
}

describe('the parallel radix sort', () => {
  it('sorts on three threads at once', async () => {
    const length = 2 * cachedNumbers
    const memory = radixMemory(sortMemory('float64', length), 3)
    const filename = new URL('../../src/sort/sort.worker.ts', import.meta.url).href
    await using pool = new Piscina<RadixTask, void>({ filename, workerData: memory, minThreads: 3, maxThreads: 3 })
    // Random numbers twice: what the first sort counted must not be left, of NaN neither.
    for (const input of [...inputKinds, 'random'] as const) {
      fillNumbers(memory.numbers, input, 4)
      const expected = bytesOf(memory.numbers.slice().sort())
      await parallelRadixSort(memory, 3, (task) => pool.run(task))
      expect(bytesOf(memory.numbers).equals(expected)).toBe(true)
    }
  })

  it('hands out the largest buckets first, and none of more than half a share that could be cut', async () => {
    const { numbers } = sortMemory('int32', 16 * cachedNumbers)
    fillNumbers(numbers, 'few', 1)
    const tasks: RadixTask[] = []
    await byWorkers(numbers, 2, tasks)
    // They differ in their lowest three bits only, so one digit tells them apart.
    const phases = ['look', 'count', 'scatter', 'take']
    expect(tasks.map(({ phase }) => phase)).toEqual(phases.flatMap((phase) => [phase, phase]))
    const sizes = tasks.flatMap((task) =>
      task.phase === 'take' ? [task.buckets.map(({ from, to }) => to - from)] : [],
    )
    expect(sizes[0]).toHaveLength(8)
    expect(sizes[0]).toEqual(sizes[0]?.toSorted((a, b) => b - a))
  })

  it.each([
    ['the first digit tells them from the rest', 0],
    ['another look finds them equal', 2 ** 20 + 3],
  ])('cuts what is left of equal numbers, too, when %s', async (_, other) => {
    const { numbers } = sortMemory('int32', 8 * cachedNumbers)
    numbers.fill(7).fill(other, 0, 1)
    const tasks: RadixTask[] = []
    await byWorkers(numbers, 2, tasks)
    const last = tasks.at(-1)
    expect(last?.phase === 'take' && last.buckets.map(({ from, to }) => to - from)).toHaveLength(5)
  })

  it.each([0, -1, 1.5, 4, Number.NaN])(
    'refuses %s workers where memory is for three, and leaves the numbers',
    async (workers) => {
      const memory = radixMemory(sortMemory('int32', 3), 3)
      memory.numbers.set([3, 1, 2])
      await expect(parallelRadixSort(memory, workers, async () => {})).rejects.toThrow(
        new RangeError(`workers: received ${workers}; accepts a whole number from 1 to 3`),
      )
      expect(Array.from(memory.numbers)).toEqual([3, 1, 2])
    },
  )
})

describe('buckets', () => {
  it.each(numberTypes)('of %s are in order, and no larger than the cache unless they are one digit', (type) => {
    const { numbers } = sortMemory(type, 0)
    const all = { lowest: 0, bits: 8 * numbers.BYTES_PER_ELEMENT }
    const digits = firstDigits(numbers, { from: 0, to: 2 ** 24 }, all)
    const counts = new Int32Array(2 ** digits.width + 1)
    const draw = drawFrom(6)
    for (let at = 0; at < counts.length; at += 2) counts[at] = draw.whole(0, 5) ** 7
    const to = counts.reduce((sum, count) => sum + count, 0)
    const places = counts.slice()
    const buckets = cutIntoBuckets(places, { from: 0, to }, all.lowest, digits)
    // A digit is never cut in two.
    const starts = new Set(places.filter((_, digit) => counts[digit] !== 0))
    let position = 0
    for (const [at, bucket] of buckets.entries()) {
      expect(bucket.from).toBe(position)
      expect(starts.has(position)).toBe(true)
      position = bucket.to
      const areNaN = at === buckets.length - 1
      if (bucket.to - bucket.from > cachedNumbers && !areNaN) expect(bucket.bits).toBe(digits.shift)
    }
    expect(position).toBe(to)
  })
})

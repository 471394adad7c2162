/** Merge sort: its pieces by their laws, the two ways on real workers, the model, the example as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Cost, costOf, type Growth, growthSlope } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { breakEven, onHosts, withNetwork } from '../../src/mergesort/model.ts'
import { radixSort } from '../../src/mergesort/radix-sort.ts'
import {
  bytesOf,
  cut,
  mergeAsTheyCome,
  mergeRuns,
  mergeTwo,
  numbersIn,
  randomNumbers,
  sortLocally,
} from '../../src/mergesort/sort.ts'
import { mergesortTasks, sortByReference } from '../../src/mergesort/tasks.ts'
import { busyMs, byReference, computingMs, inMessages, RunStore, Trace } from '../../src/mergesort/ways.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const layer = useLayer()

const numbers = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 300 })
const sorted = (values: readonly number[]) => Int32Array.from(values).sort()

describe('the pieces', () => {
  it('are cut so that together they are the whole, nearly equal, without a copy', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 20 }), (values, chunks) => {
        const all = Int32Array.from(values)
        const runs = cut(all, chunks)
        expect(runs.flatMap((run) => [...run])).toEqual(values)
        const sizes = runs.map(({ length }) => length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        expect(runs.every(({ buffer }) => buffer === all.buffer)).toBe(true)
      }),
    )
  })

  it('are merged to what TypedArray.sort gives for all of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(numbers, { maxLength: 9 }), async (lists) => {
        const runs = lists.map(sorted)
        expect(mergeRuns(runs)).toEqual(sorted(lists.flat()))
        expect(await mergeAsTheyCome(runs.map((run) => Promise.resolve(run)))).toEqual(sorted(lists.flat()))
        const [left = new Int32Array(), right = new Int32Array()] = runs
        expect(mergeTwo(left, right)).toEqual(sorted([...left, ...right]))
      }),
    )
  })

  it('are sorted by their digits as TypedArray.sort sorts them', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        expect(radixSort(Int32Array.from(values))).toEqual(sorted(values))
      }),
    )
    for (const n of [0, 1, 3_000]) expect(radixSort(randomNumbers(n, 3))).toEqual(randomNumbers(n, 3).sort())
    const extremes = [2 ** 31 - 1, 0, -(2 ** 31), -1, 2 ** 22, 2 ** 11, -(2 ** 11)]
    expect(radixSort(Int32Array.from(extremes))).toEqual(sorted(extremes))
  })

  it('are sorted and merged in one process, and the input is left as it was', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 9 }), (values, chunks) => {
        const input = Int32Array.from(values)
        expect(sortLocally(input, chunks).sorted).toEqual(sorted(values))
        expect([...input]).toEqual(values)
      }),
    )
  })

  it('of random numbers are the same for the same seed, and others for another', () => {
    expect(randomNumbers(5, 7)).toEqual(randomNumbers(5, 7))
    expect(randomNumbers(5, 7)).not.toEqual(randomNumbers(5, 8))
    const many = randomNumbers(100_000, 1)
    expect(new Set(many).size).toBeGreaterThan(99_990)
    expect(many.filter((value) => value < 0).length / many.length).toBeCloseTo(0.5, 1)
  })

  it('become bytes and numbers again wherever the bytes lie', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 0, max: 8 }), (values, offset) => {
        const memory = Buffer.from(new ArrayBuffer(offset + 4 * values.length))
        memory.set(bytesOf(Int32Array.from(values)), offset)
        expect([...numbersIn(memory.subarray(offset))]).toEqual(values)
      }),
    )
  })
})

describeRedis('the ways', () => {
  it.each(['in messages', 'by reference'])(
    '%s give what TypedArray.sort gives, say who did what, and leave nothing',
    async (way) => {
      const client = await layer.openClient()
      for (const name of ['a', 'b']) await layer.startWorker({ tasks: mergesortTasks, name, concurrency: 1 })
      await using store = new RunStore(client)
      const signal = AbortSignal.timeout(60_000)
      const send = way === 'in messages' ? inMessages(client, signal) : byReference(client, store, signal)
      for (const [n, chunks] of [
        [1, 1],
        [1_000, 3],
        [200_001, 4],
      ] as const) {
        const input = randomNumbers(n, n)
        const trace = new Trace()
        const sorted = await mergeAsTheyCome(await send(cut(input, chunks), trace), trace.merge)
        const { lanes } = trace.stop()
        await store.clear()
        expect(Buffer.compare(bytesOf(sorted), bytesOf(input.slice().sort()))).toBe(0)
        const [client, ...workers] = lanes.keys()
        expect(client).toBe('client')
        expect(workers.length).toBeGreaterThan(0)
        for (const worker of workers) expect(['a', 'b']).toContain(worker)
        const spans = [...lanes.values()].flat()
        expect(spans.filter(({ doing }) => doing === 'sort')).toHaveLength(chunks)
        expect(spans.filter(({ doing }) => doing === 'merge')).toHaveLength(chunks - 1)
        expect(computingMs(lanes)).toBeGreaterThan(0)
      }
      expect(await client.redis.keys(`${layer.prefix}:bytes:*`)).toEqual([])
    },
  )

  it('by reference does not sort what is not there, or is of another size', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: mergesortTasks })
    const key = `${layer.prefix}:bytes:mine`
    const missing = await client.send(sortByReference, { key, bytes: 4 })
    await expect(missing.get()).rejects.toThrow('there are no bytes instead of 4')
    await client.redis.set(key, Buffer.alloc(8), 'EX', 60)
    await expect((await client.send(sortByReference, { key, bytes: 4 })).get()).rejects.toThrow('8 bytes instead of 4')
    await expect(client.send(sortByReference, { key: 'default:meta', bytes: 4 })).rejects.toThrow(
      'mergesort.by-reference: key:',
    )
  })

  it('by reference may run twice: the numbers stay, and so does the time at which they go', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: mergesortTasks })
    const key = `${layer.prefix}:bytes:twice`
    await client.redis.set(key, bytesOf(Int32Array.of(3, -1, 2)), 'EX', 60)
    for (let time = 0; time < 2; time++) {
      await (await client.send(sortByReference, { key, bytes: 12 })).get()
      expect([...numbersIn((await client.redis.getBuffer(key)) ?? Buffer.alloc(0))]).toEqual([-1, 2, 3])
      expect(await client.redis.ttl(key)).toBeGreaterThan(0)
    }
  })
})

describe('the measure of busy time', () => {
  it('counts once what was done twice at a time', () => {
    const span = (begin: number, end: number) => ({ doing: 'send' as const, begin, end })
    expect(busyMs([span(5, 8), span(0, 3), span(1, 2), span(2, 4)], 'send')).toBe(7)
    expect(busyMs([span(0, 3)], 'sort')).toBe(0)
  })
})

describe('the model', () => {
  const rates = { sort: 3, merge: 5, client: 10, worker: 10 }

  it('is the sum of what its comment says', () => {
    expect(onHosts(rates, 4, 30)).toBeCloseTo(10 + 10 / 4 + 30 / 4 + 2 * 5, 9)
  })

  it('finds the computing above which hosts win', () => {
    const from = breakEven(rates, 4)
    expect(onHosts(rates, 4, from)).toBeCloseTo(from, 9)
    expect(onHosts(rates, 4, from + 1)).toBeLessThan(from + 1)
    expect(breakEven({ ...rates, client: 1_000 }, 4)).toBeGreaterThan(1_000)
  })

  it('takes the slower of network and processor', () => {
    expect(withNetwork(rates, 1e9)).toEqual({ ...rates, client: 64, worker: 64 })
    expect(withNetwork(rates, 100e9)).toEqual(rates)
  })
})

interface Result {
  n: number
  chunks: number
  workers: number
  ways: { name: string; ms: number; speedup: number; bytes: number }[]
  localMs: number
  typedArrayMs: number
  radixMs: number
  bestSerialMs: number
  cost: Cost['cost']
  growth?: { slopes: Record<string, number>; costs: (Cost & { size: number })[]; ways: Record<string, Growth[]> }
  sorted: boolean
  picture: string
}

describeRedis('the example', () => {
  it('sorts both ways and says what each took', async () => {
    const args = ['--quick', '--json', '--n', '4000', '--workers', '2', '--growth']
    const run = await runExample(chapter, 'mergesort', args)
    expect(run).toMatchObject({ code: 0 })
    const result = run.json<Result>()
    expect(result).toMatchObject({ n: 4_000, chunks: 4, workers: 2, sorted: true })
    expect(result.ways.map(({ name }) => name)).toEqual(['json', 'bytes'])
    for (const { name, ms, speedup, bytes } of result.ways) {
      expect(bytes).toBeGreaterThanOrEqual(name === 'bytes' ? 16_000 : 8_000)
      expect(speedup).toBeCloseTo(result.bestSerialMs / ms, 6)
    }
    const { bestSerialMs, radixMs, typedArrayMs, ways, growth } = result
    expect(bestSerialMs).toBe(Math.min(radixMs, typedArrayMs))
    const runs = ways.map(({ ms }) => ({ workers: 2, ms }))
    expect(result).toMatchObject(costOf(bestSerialMs, runs))
    // Five sizes over two decades.
    expect(growth?.costs.map(({ size }) => size)).toEqual([40, 126, 400, 1_265, 4_000])
    expect(Object.keys(growth?.slopes ?? {})).toEqual(['radix', 'typedArray', 'json', 'bytes'])
    for (const [name, slope] of Object.entries(growth?.slopes ?? {})) {
      expect(slope).toBeCloseTo(growthSlope(growth?.ways[name] ?? []))
    }
    const svg = await readFile(result.picture, 'utf8')
    for (const lane of ['json: client', 'json: worker 1', 'bytes: client']) expect(svg).toContain(`>${lane}<`)
    expect(await run.leftBehind()).toEqual([])
  })

  it.each([
    [['--n', '1']],
    [['--n', '1e6']],
    [['--n', '10', '--chunks', '11']],
    [['--n', '399', '--growth']],
    [['--n', '20000000']],
    [['--ways', 'xml']],
    [['--ways', 'json,json']],
    [['--workers', '0']],
    [['--sead', '1']],
  ])('refuses %j in one line', async (args) => {
    const { code, stdout, stderr } = await said('mergesort', args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
  })
})

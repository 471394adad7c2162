/**
 * mergesort: a million integers sorted in chunks by worker processes and merged by the client; as JSON, and as bytes
 *
 *     pnpm --filter 04-celery start mergesort
 *     pnpm --filter 04-celery start mergesort --n 20000000 --chunks 2 --ways bytes --growth
 *     pnpm --filter 04-celery start mergesort --celery            # the same on Celery, in Python, beside it
 *
 * It starts Redis and workers itself. With REDIS_URL it uses those, also on other machines; in another terminal:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery worker --concurrency 1
 *
 * The numbers travel in two ways: inside the message as JSON, or as bytes under a key in Redis, and then the message
 * has only the key.
 *
 * Look for: how little of the JSON way's time is computing; the COST, against the best sort on one thread; and how much
 * computing a number would have to need for hosts to pay off. With --growth: how the times grow with the size.
 */
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, listOf, oneOf, seedNumber, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds } from '@repo/common/output/terminal'
import { findPython, installPython } from '../src/celery/python.ts'
import { type CeleryResult, sortWithCelery } from '../src/mergesort/celery.ts'
import { breakEvens, ratesOf } from '../src/mergesort/model.ts'
import { radixSort } from '../src/mergesort/radix-sort.ts'
import * as report from '../src/mergesort/report.ts'
import { bytesOf, cut, mergeAsTheyCome, type Numbers, randomNumbers, sortLocally } from '../src/mergesort/sort.ts'
import { byReference, inMessages, type Lanes, RunStore, Trace } from '../src/mergesort/ways.ts'
import { startSystem } from '../src/system.ts'

export default example(import.meta, {
  options: {
    n: wholeNumber(2, 200_000_000).default(1_000_000).describe('how many integers'),
    chunks: wholeNumber(1, 1_000).default(4).describe('into how many tasks they are cut'),
    workers: workerCount(64).describe('worker processes to start where none run'),
    ways: listOf(oneOf('json', 'bytes'), 'json, bytes or both, separated by a comma', { distinct: true })
      .default(['json', 'bytes'])
      .describe('how the numbers travel'),
    seed: seedNumber().default(1).describe('for the random numbers'),
    growth: flag().describe('also measures time against size, from a hundredth of the integers to all'),
    celery: flag().describe('also the same on Celery 5, in pure Python'),
  },

  async run({ n, chunks, workers: wanted, ways: names, seed, growth, celery }, { signal, quick, print, picture }) {
    report.requireRoom({ n, chunks, ways: names, growth })
    const python = celery ? await findPython('celery', signal) : undefined
    if (celery && !python) throw new Error(`no Python here has Celery: ${installPython.celery}`)

    // Each worker takes one task at a time, so that none takes two chunks while another has none.
    await using system = await startSystem({ workers: wanted, args: ['--concurrency', '1'], signal })
    const { client, redis } = system
    const workers = system.workerNames.length
    await using store = new RunStore(client)
    const send = { json: inMessages(client, signal), bytes: byReference(client, store, signal) }
    print(
      `${count(n)} integers in ${howMany(chunks, 'chunk')}, ${howMany(workers, 'worker process')}, Redis ${redis.version} …`,
    )

    // Cut the numbers into chunks, send each to a worker, and merge the sorted chunks as they come back.
    async function sort(numbers: Numbers, name: report.WayName) {
      const trace = new Trace()
      const runs = await send[name](cut(numbers, chunks), trace)
      const sorted = await mergeAsTheyCome(runs, trace.merge)
      const took = trace.stop()
      await store.clear()
      return { sorted, ...took }
    }

    // Two plain programs on one thread, the same chunks and merges on one thread, and the ways.
    const numbers = randomNumbers(n, seed)
    const merges: number[] = []
    const lanes: Record<report.WayName, Lanes[]> = { json: [], bytes: [] }
    const plain = (sortCopy: (copy: Numbers) => Numbers, expected: Numbers) => () => {
      const copy = numbers.slice(0, expected.length)
      const begin = performance.now()
      const sorted = sortCopy(copy)
      const ms = performance.now() - begin
      requireSorted('a plain program', sorted, expected)
      return ms
    }
    const distributed = (name: report.WayName, expected: Numbers) => async () => {
      const run = await sort(numbers.subarray(0, expected.length), name)
      requireSorted(report.labels[name], run.sorted, expected)
      if (expected.length === n) lanes[name].push(run.lanes)
      return run.ms
    }
    function requireSorted(name: string, sorted: Numbers, expected: Numbers) {
      if (Buffer.compare(bytesOf(sorted), bytesOf(expected)) === 0) return
      throw new Error(`${name}: not sorted as TypedArray.sort does`)
    }
    const timesOf = (size: number) => {
      const expected = numbers.slice(0, size).sort()
      return {
        radix: plain(radixSort, expected),
        typedArray: plain((copy) => copy.sort(), expected),
        ...Object.fromEntries(names.map((name) => [name, distributed(name, expected)])),
      }
    }

    // Measured in turn.
    using bar = progress('sorting', 1)
    const rounds = { signal, onProgress: (done: number, total: number) => bar.update(done / total) }
    const timed = await interleave<string>(
      {
        ...timesOf(n),
        local() {
          const { sortMs, mergeMs } = sortLocally(numbers, chunks)
          merges.push(mergeMs)
          return sortMs + mergeMs
        },
      },
      { ...rounds, rounds: quick ? 2 : 5 },
    )
    const timing = (name: string) => timed[name] ?? { ms: Number.NaN, samplesMs: [] }
    const costAt = (ms: (name: string) => number) =>
      costOf(
        Math.min(ms('radix'), ms('typedArray')),
        names.map((name) => ({ workers, ms: ms(name) })),
      )
    const cost = costAt((name) => timing(name).ms)
    const { bestSerialMs } = cost
    const [radixMs, typedArrayMs, localMs] = [timing('radix').ms, timing('typedArray').ms, timing('local').ms]
    const ways = names.map((name) => {
      return report.resultOf(name, timing(name), { lanes: lanes[name], bestSerialMs, numbers, chunks })
    })
    print('', report.describeWays(ways, { radixMs, typedArrayMs, localMs, bestSerialMs }), '', describeCost(cost))
    // The first round was a warm-up.
    const rates = names.includes('bytes')
      ? ratesOf(lanes.bytes.slice(1), { n, chunks, bestSerialMs, mergeMs: median(merges) })
      : undefined
    if (rates) print('', ...report.describeRates(rates))

    let inPython: CeleryResult | undefined
    if (python) {
      const options = { url: redis.url, workers, n, chunks, seed, local: !quick, signal }
      inPython = await sortWithCelery(python, { ...options, onProgress: (doing) => bar.update(1, doing) })
      print('', ...report.describeCelery(inPython, workers, ways))
    }
    const path = await picture('mergesort.svg', report.drawWays(ways, lanes, n))
    print('', `Picture: ${path}`)

    // Time against size, five sizes over two decades.
    let grown: report.Grown | undefined
    if (growth) {
      const sizes: Parameters<typeof report.grownOf>[0] = []
      for (let step = 0; step <= 4; step++) {
        const size = Math.round(n / report.growthSpan ** (1 - step / 4))
        const timings = await interleave<string>(timesOf(size), { ...rounds, rounds: quick ? 1 : 3 })
        const ms = Object.fromEntries(Object.entries(timings).map(([name, { ms }]) => [name, ms]))
        sizes.push({ size, ms, ...costAt((name) => ms[name] ?? Number.NaN) })
      }
      grown = report.grownOf(sizes)
      const path = await picture(
        'mergesort-growth.svg',
        drawGrowth(`Sorting on ${howMany(workers, 'worker')} and on one thread`, 'integers', grown.ways),
      )
      print('', ...report.describeGrowth(grown, workers), `Picture: ${path}`)
    }
    return {
      n,
      chunks,
      workers,
      ways,
      localMs,
      typedArrayMs,
      radixMs,
      ...cost,
      growth: grown,
      sorted: true,
      rates,
      breakEvens: rates && breakEvens(rates),
      celery: inPython,
      picture: path,
    }
  },
  figure: ({ n, workers, ways, bestSerialMs, cost }) =>
    `${count(n)} integers on ${howMany(workers, 'worker')}: ${ways.map(({ name, ms }) => `${milliseconds(ms)} as ${name}`).join(', ')}; one thread ${milliseconds(bestSerialMs)}, COST ${cost}`,
})

/**
 * mergesort: a million integers sorted in chunks by worker processes and merged by the client; as JSON, and as bytes
 *
 *     pnpm --filter 04-celery start mergesort
 *     pnpm --filter 04-celery start mergesort --n 20000000 --chunks 2 --ways bytes
 *     pnpm --filter 04-celery start mergesort --celery            # the same on Celery, in Python, beside it
 *
 * It starts Redis and workers itself. With REDIS_URL it uses those, also on other machines; in another terminal:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery worker --concurrency 1
 *
 * The numbers travel in two ways: inside the message as JSON, or as bytes under a key in Redis, and then the message
 * has only the key.
 *
 * Look for: how little of the JSON way's time is computing; and the sizes at which more hosts would pay off.
 */
import { example } from '@repo/common/example/example'
import { flag, listOf, oneOf, seedNumber, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { findPython, installPython } from '../src/celery/python.ts'
import { type CeleryResult, sortWithCelery } from '../src/mergesort/celery.ts'
import { breakEvens, ratesOf } from '../src/mergesort/model.ts'
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
    celery: flag().describe('also the same on Celery 5, in pure Python'),
  },

  async run({ n, chunks, workers: wanted, ways: names, seed, celery }, { signal, quick, print, picture }) {
    report.requireRoom({ n, chunks, ways: names })
    const python = celery ? await findPython('celery', signal) : undefined
    if (celery && !python) throw new Error(`no Python here has Celery: ${installPython.celery}`)

    // Each worker takes one task at a time, so that none takes two chunks while another has none.
    await using system = await startSystem({ workers: wanted, args: ['--concurrency', '1'], signal })
    const { client, redis } = system
    const workers = system.workerNames.length
    await using store = new RunStore(client)
    const send = { json: inMessages(client, signal), bytes: byReference(client, store, signal) }
    print(`${count(n)} integers in ${chunks} chunks, ${workers} worker processes, Redis ${redis.version} …`)

    // Cut the numbers into chunks, send each to a worker, and merge the sorted chunks as they come back.
    async function sort(numbers: Numbers, name: report.WayName) {
      const trace = new Trace()
      const runs = await send[name](cut(numbers, chunks), trace)
      const sorted = await mergeAsTheyCome(runs, trace.merge)
      const took = trace.stop()
      await store.clear()
      return { sorted, ...took }
    }

    // Measured in turn: the best sort of one process, the same chunks and merges in one process, and the ways.
    const numbers = randomNumbers(n, seed)
    const expected = numbers.slice()
    const merges: number[] = []
    const lanes: Record<report.WayName, Lanes[]> = { json: [], bytes: [] }
    const measured = (name: report.WayName) => async () => {
      if (!names.includes(name)) return 0
      const run = await sort(numbers, name)
      if (Buffer.compare(bytesOf(run.sorted), bytesOf(expected)) !== 0) {
        throw new Error(`${report.labels[name]}: not sorted as TypedArray.sort does`)
      }
      lanes[name].push(run.lanes)
      return run.ms
    }
    using bar = progress('sorting', 1)
    const timed = await interleave(
      {
        typedArray() {
          expected.set(numbers)
          const begin = performance.now()
          expected.sort()
          return performance.now() - begin
        },
        local() {
          const { sortMs, mergeMs } = sortLocally(numbers, chunks)
          merges.push(mergeMs)
          return sortMs + mergeMs
        },
        json: measured('json'),
        bytes: measured('bytes'),
      },
      { rounds: quick ? 2 : 5, signal, onProgress: (done, total) => bar.update(done / total) },
    )

    const [localMs, typedArrayMs] = [timed.local.ms, timed.typedArray.ms]
    const ways = names.map((name) =>
      report.resultOf(name, timed[name], {
        lanes: lanes[name],
        bestMs: Math.min(localMs, typedArrayMs),
        numbers,
        chunks,
      }),
    )
    print('', report.describeWays(ways, { localMs, typedArrayMs }))
    // The first round was a warm-up.
    const rates = names.includes('bytes')
      ? ratesOf(lanes.bytes.slice(1), { n, chunks, typedArrayMs, mergeMs: median(merges) })
      : undefined
    if (rates) print('', ...report.describeRates(rates, n, chunks))

    let inPython: CeleryResult | undefined
    if (python) {
      const options = { url: redis.url, workers, n, chunks, seed, local: !quick, signal }
      inPython = await sortWithCelery(python, { ...options, onProgress: (doing) => bar.update(1, doing) })
      print('', ...report.describeCelery(inPython, workers, ways))
    }
    const path = await picture('mergesort.svg', report.drawWays(ways, lanes, n))
    print('', `Picture: ${path}`)
    return {
      n,
      chunks,
      workers,
      ways,
      localMs,
      typedArrayMs,
      sorted: true,
      rates,
      breakEvens: rates && breakEvens(rates),
      celery: inPython,
      picture: path,
    }
  },
  figure: ({ n, workers, ways, typedArrayMs }) =>
    `${count(n)} integers on ${workers} workers: ${ways.map(({ name, ms }) => `${milliseconds(ms)} as ${name}`).join(', ')}; TypedArray.sort ${milliseconds(typedArrayMs)}`,
})

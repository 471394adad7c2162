/**
 * mergesort: a million integers sorted in chunks by worker processes and merged by the client; as JSON, and as bytes
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start mergesort
 *     pnpm --filter 04-celery start mergesort --n 20000000 --chunks 2 --ways bytes
 *     pnpm --filter 04-celery start mergesort --celery            # the same on Celery, in Python, beside it
 *
 * It starts Redis and workers itself. With REDIS_URL it uses those, also on other machines; in another terminal:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery worker --concurrency 1
 *
 * The numbers travel in two ways: inside the message as JSON, or as bytes under a key in Redis, of which the message has
 * only the name. Where no Redis can be had, the queue runs on PostgreSQL inside this process, and the first line says so.
 *
 * Look for: how little of the JSON way's time is computing; and from how many numbers on more hosts would be worth it.
 */
import { example } from '@repo/common/example/example'
import { flag, listOf, oneOf, wholeNumber, workerCount } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { findPython, installPython } from '../src/celery/python.ts'
import { type CeleryResult, sortWithCelery } from '../src/mergesort/celery.ts'
import {
  breakEvens,
  describeCelery,
  describeRates,
  describeWays,
  drawWays,
  labels,
  ratesOf,
} from '../src/mergesort/report.ts'
import { requireRoom } from '../src/mergesort/sizes.ts'
import { randomNumbers, sortLocally } from '../src/mergesort/sort.ts'
import { startSortingSystem } from '../src/mergesort/system.ts'
import { byReference, computingMs, inMessages, type Sorting } from '../src/mergesort/ways.ts'

export default example(import.meta, {
  options: {
    n: wholeNumber(2, 200_000_000).default(1_000_000).describe('how many integers'),
    chunks: wholeNumber(1, 1_000).default(4).describe('into how many tasks they are cut'),
    workers: workerCount(64).describe('worker processes to start where none run'),
    ways: listOf(oneOf('json', 'bytes'), 'json, bytes or both, separated by a comma', { distinct: true })
      .default(['json', 'bytes'])
      .describe('how the numbers travel'),
    seed: wholeNumber(1, 2 ** 31 - 1)
      .default(1)
      .describe('for the random numbers'),
    celery: flag().describe('also the same on Celery 5, in pure Python'),
  },

  async run({ n, chunks, workers: wanted, ways: names, seed, celery }, { signal, quick, print, picture }) {
    requireRoom({ n, chunks, ways: names })
    const python = celery ? await findPython('celery', signal) : undefined
    if (celery && !python) throw new Error(`no Python here has Celery: ${installPython.celery}`)

    await using system = await startSortingSystem(wanted, signal)
    const { sorters, workers, place } = system
    print(`${count(n)} integers in ${chunks} chunks, ${workers} worker processes, ${place} …`)
    const numbers = randomNumbers(n, seed)
    const expected = numbers.slice()
    const runs = { json: [] as Sorting[], bytes: [] as Sorting[] }
    const merges: number[] = []
    const way = (name: keyof typeof runs) => async () => {
      const run = await (name === 'json' ? inMessages : byReference)(sorters, numbers, chunks)
      if (Buffer.compare(Buffer.from(run.sorted.buffer), Buffer.from(expected.buffer)) !== 0) {
        throw new Error(`${labels[name]}: not sorted as TypedArray.sort does`)
      }
      runs[name].push(run)
      return run.ms
    }
    using bar = progress('sorting', 1)
    const timed = await interleave(
      {
        typedArray: () => {
          expected.set(numbers)
          const begin = performance.now()
          expected.sort()
          return performance.now() - begin
        },
        local: () => {
          const { sortMs, mergeMs } = sortLocally(numbers, chunks)
          merges.push(mergeMs)
          return sortMs + mergeMs
        },
        // Not asked for, it takes no time.
        json: names.includes('json') ? way('json') : () => 0,
        bytes: names.includes('bytes') ? way('bytes') : () => 0,
      },
      { rounds: quick ? 2 : 5, signal, onProgress: (done, total) => bar.update(done / total) },
    )
    const [localMs, typedArrayMs] = [timed.local.ms, timed.typedArray.ms]
    const best = Math.min(localMs, typedArrayMs)
    const ways = names.map((name) => {
      const run = runs[name].at(-1) as Sorting
      const computing = computingMs(run.lanes)
      const ratio = computing / Math.max(0.001, run.ms - computing)
      return { name, ms: timed[name].ms, speedup: best / timed[name].ms, bytes: run.bytes, computeToTransfer: ratio }
    })
    const rates = names.includes('bytes')
      ? ratesOf(runs.bytes.slice(1), { n, chunks, typedArrayMs, mergeMs: median(merges) })
      : undefined
    const drawn = names.map((name) => ({ name, run: runs[name].at(-1) as Sorting }))
    const result = {
      n,
      chunks,
      workers,
      ways,
      localMs,
      typedArrayMs,
      sorted: true,
      place,
      rates,
      breakEvens: rates && breakEvens(rates),
      celery: undefined as CeleryResult | undefined,
      picture: await picture('mergesort.svg', await drawWays(drawn, n)),
    }
    print('', describeWays(result))
    if (rates) print('', ...describeRates(rates, n, chunks))
    if (python && system.url) {
      result.celery = await sortWithCelery(python, {
        url: system.url,
        workers,
        n,
        chunks,
        seed,
        local: !quick,
        signal,
        onProgress: (doing) => bar.update(1, doing),
      })
      print('', ...describeCelery(result.celery, workers, ways))
    }
    print('', `Picture: ${result.picture}`)
    return result
  },
  figure: ({ n, workers, ways, typedArrayMs }) =>
    `${count(n)} integers on ${workers} workers: ${ways.map(({ name, ms }) => `${milliseconds(ms)} as ${name}`).join(', ')}; TypedArray.sort ${milliseconds(typedArrayMs)}`,
})

/**
 * similarity: which State of the Union addresses read alike? From 233 texts to all 27,028 scores, on one core and on all
 *
 *     pnpm --filter 03-parallel start similarity
 *     pnpm --filter 03-parallel start similarity --workers 2 --size 4
 *     pnpm --filter 03-parallel start similarity --texts ~/my-texts
 *     pnpm --filter 03-parallel start similarity --growth
 *
 * Each text is the set of its shingles, all runs of three consecutive words. The texts and all that is made of them lie in
 * shared memory. The job has five phases; in four of them each worker takes pieces of the work until none is left.
 *
 * Look for: the phase that is not parallel, and its share; the COST, the number of workers that beats one good thread; and
 * the old way, in which only the last phase was parallel. With --growth: how the time grows with the number of texts.
 */
import { aborted } from '@repo/common/async/abort'
import { costOf, type Growth, growthSlope } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, path, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial, interleave, type Rounds } from '@repo/common/measure'
import { describeCost, drawGrowth } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { type Compared, mostCells, phaseNames } from '@repo/common/workloads/all-pairs'
import { drawPairs, identityOf, mostDocuments, readDocuments, titleOf } from '@repo/common/workloads/documents'
import { shingleSets } from '@repo/common/workloads/shingles'
import * as similarity from '@repo/common/workloads/similarity'
import { Piscina } from 'piscina'
import { takePieces, type Workers } from '../src/similarity/parallel.ts'
import type { Task } from '../src/similarity/similarity.worker.ts'
import { onOneThread, onWorkers, WholeJob } from '../src/similarity/whole-job.ts'

/** The number of most similar pairs that are shown. */
const shown = 5
/** With fewer, a hundredth of the texts would not be two. */
const leastForGrowth = 200

export default example(import.meta, {
  options: {
    workers: workerCount().describe('worker threads'),
    size: wholeNumber(1, 50).default(3).describe('words in a shingle'),
    texts: path('a folder with .txt files').optional().describe('your own texts instead of the addresses'),
    growth: flag().describe('also measures how the time grows with the number of texts'),
  },

  async run({ workers, size, texts: folder, growth }, { signal, quick, print, picture }) {
    const documents = documentsFrom(folder)
    if (growth && documents.length < leastForGrowth) {
      throw new UsageError('--growth', `${documents.length} texts`, `${leastForGrowth} texts or more`)
    }
    const texts = documents.map(({ text }) => text)
    print(`Comparing ${count(texts.length)} texts by their shingles of ${size} words …`)
    await using pool = new Piscina<Task, unknown>({
      filename: new URL('../src/similarity/similarity.worker.ts', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      // A worker without a task waits on its event loop, which wakes it sooner than Atomics.wait, the default.
      atomics: 'disabled',
    })
    // One listener for all tasks: with a signal in each, the pool would start new workers when it is disposed of.
    const stopped = aborted(signal)
    const run = (task: Task) => Promise.race([pool.run(task), stopped])

    // The same pool with fewer workers: the smallest number that beats one good thread is the COST. One worker does what
    // one thread does; if it is faster, then by chance.
    const numbers = [2, 4, 8, 16, 32, 64, 128].filter((some) => some < workers)
    const large = texts.reduce((sum, { length }) => sum + length, 0) > 20e6
    using bar = progress('comparing all pairs', 1)
    const onProgress = (done: number, of: number) => bar.update(done / of)
    const rounds = { rounds: large ? 1 : quick ? 3 : 11, signal }
    const steps = (rounds.rounds + 1) * (numbers.length + 2) * phaseNames.length
    let step = 0
    const onPhase = () => onProgress(++step, steps)

    // Both ways do the whole job: from the texts to the table of scores. They share the memory of the index.
    const serial = new WholeJob(shown, onOneThread(texts, size, signal), onPhase)
    const onThePool = (some: number) => new WholeJob(shown, onWorkers(texts, size, { workers: some, run }), onPhase)
    const parallel = onThePool(workers)
    const fewer = numbers.map((some) => ({ some, job: onThePool(some) }))
    const measured = await compareWithSerial(
      {
        workers,
        serial: () => serial.run(parallel.result?.index),
        parallel: async () => {
          for (const { job } of fewer) await job.run(serial.result?.index)
          return parallel.run(serial.result?.index)
        },
      },
      rounds,
    )
    const runs = [
      ...fewer.map(({ some, job }) => ({ workers: some, ms: job.ms })),
      { workers, ms: measured.parallelMs },
    ]
    const cost = costOf(measured.serialMs, runs)
    const { index, table: scores, top } = parallel.result as Compared
    const agree = serial.result?.table.cells.every((score, at) => score === scores.cells[at])
    if (!agree) throw new Error('one thread and the pool disagree about a score')

    const phases = phaseNames.map((name) => {
      const [serialMs, parallelMs] = [serial.msOf(name), parallel.msOf(name)]
      return { name, share: serialMs / measured.serialMs, serialMs, parallelMs, speedup: serialMs / parallelMs }
    })
    const fewRounds = { rounds: quick || large ? 1 : 5, signal, onProgress }
    // The old way would take much longer with much text, and its table of all pairs would not fit into memory.
    const old =
      large || texts.length > mostCells ? undefined : await theOldWay(texts, size, { workers, run }, fewRounds)
    const growing = growth ? await measureGrowth(texts, size, { workers, run }, fewRounds) : undefined

    // Everything as similar as the fifth pair gets the strongest colour; otherwise the rest would be pale.
    const strongest = top.at(-1)?.score || 1
    const subtitle = `the share of their shingles of ${size} words that two texts have in common`
    const drawn = await picture('similarity.svg', drawPairs(documents, scores.cells, strongest, subtitle))
    // Without a single shingle, a text has nothing in common even with its own copy: the reader should know.
    const tooShort = documents.filter((_, text) => index.sizes[text] === 0)
    const pairs = (documents.length * (documents.length - 1)) / 2
    print(
      '',
      table(
        ['the most similar', 'and', 'in common'],
        top.map(({ a, b, score }) => [titleOf(documents[a]), titleOf(documents[b]), `${(100 * score).toFixed(1)} %`]),
      ),
      '',
      table(
        [`${count(pairs)} pairs`, 'share', '1 thread', `${workers} on the pool`, 'speedup'],
        [
          ...phases.map(({ name, share, serialMs, parallelMs, speedup }) => [
            name,
            percent(share),
            milliseconds(serialMs),
            milliseconds(parallelMs),
            times(speedup),
          ]),
          [
            'the whole job',
            '100 %',
            milliseconds(measured.serialMs),
            milliseconds(measured.parallelMs),
            times(measured.speedup),
          ],
        ],
      ),
      '',
      `${times(measured.speedup)} as fast on ${howMany(workers, 'thread')}; this machine's ceiling is ${times(measured.ceiling)} (${howMany(measured.cores, 'core')}): efficiency ${percent(measured.efficiency)}.`,
      describeCost(cost),
      ...(old
        ? [
            `Only the comparing of pairs on the pool, after ${milliseconds(old.cutMs)} of cutting on one thread: from ${milliseconds(old.compareMs)} to ${milliseconds(old.comparePoolMs)}, ${times(old.kernelSpeedup)} as fast, and the whole job ${times(old.wholeSpeedup)}.`,
          ]
        : []),
      ...(growing
        ? [
            `Time grows with the number of texts to the power of ${growing.serialSlope.toFixed(2)} on one thread, ${growing.parallelSlope.toFixed(2)} on the pool.`,
          ]
        : []),
      ...(tooShort.length > 0
        ? [
            `Of fewer than ${size} words, so that their score is always 0: ${tooShort.slice(0, 5).map(titleOf).join(', ')}${tooShort.length > 5 ? ` and ${count(tooShort.length - 5)} more` : ''}.`,
          ]
        : []),
      `Picture: ${drawn}`,
    )
    const grown = growing && {
      ...growing,
      picture: await picture('similarity-growth.svg', drawGrowth('Time to compare all pairs', 'texts', growing.ways)),
    }
    if (grown) print(`Picture: ${grown.picture}`)
    const named = top.map(({ a, b, score }) => ({ a: identityOf(documents[a]), b: identityOf(documents[b]), score }))
    const found = { top: named, tooShort: tooShort.map(identityOf) }
    return {
      documents: documents.length,
      pairs,
      size,
      ...measured,
      ...cost,
      runs,
      phases,
      old,
      growth: grown,
      ...found,
      picture: drawn,
    }
  },
  figure: ({ pairs, speedup, workers, ceiling, cost }) =>
    `${count(pairs)} pairs ${times(speedup)} as fast on ${howMany(workers, 'thread')}, ceiling ${times(ceiling)}, COST ${cost}`,
})

/** Times what this example did before: texts cut on one thread, and only then all pairs compared on the pool, band by band. */
async function theOldWay(texts: string[], size: number, on: Workers, rounds: Rounds) {
  const sets = shingleSets(texts, size)
  const comparison = similarity.comparisonOf(sets)
  const contains = similarity.tableFor(sets)
  const bands = similarity.splitEvenly(sets, on.workers * 8)
  const { cut, compare, pool } = await interleave(
    {
      cut: () => void shingleSets(texts, size),
      compare: () => {
        for (const band of bands) similarity.compareRows(comparison, band, contains)
      },
      pool: () => takePieces({ phase: 'compare', comparison, bands }, bands.length, on),
    },
    rounds,
  )
  return {
    cutMs: cut.ms,
    compareMs: compare.ms,
    comparePoolMs: pool.ms,
    kernelSpeedup: compare.ms / pool.ms,
    wholeSpeedup: (cut.ms + compare.ms) / (cut.ms + pool.ms),
  }
}

/** Times both ways with 1 % to 100 % of the texts, evenly chosen. */
async function measureGrowth(texts: string[], size: number, on: Workers, rounds: Rounds) {
  const ways: Record<'one thread' | 'the pool', Growth[]> = { 'one thread': [], 'the pool': [] }
  for (const share of [0.01, 0.03, 0.1, 0.3, 1]) {
    const length = Math.max(2, Math.round(share * texts.length))
    const chosen = Array.from({ length }, (_, at) => texts[Math.floor((at * texts.length) / length)])
    const serial = new WholeJob(shown, onOneThread(chosen, size, rounds.signal))
    const parallel = new WholeJob(shown, onWorkers(chosen, size, on))
    const timed = await interleave({ serial: () => serial.run(), parallel: () => parallel.run() }, rounds)
    ways['one thread'].push({ size: length, ms: timed.serial.ms })
    ways['the pool'].push({ size: length, ms: timed.parallel.ms })
  }
  return { ways, serialSlope: growthSlope(ways['one thread']), parallelSlope: growthSlope(ways['the pool']) }
}

function documentsFrom(folder: string | undefined) {
  try {
    return readDocuments(folder)
  } catch (error) {
    const accepted = `a folder with 2 to ${count(mostDocuments)} .txt files, but ${(error as Error).message}`
    throw new UsageError('--texts', folder, accepted)
  }
}

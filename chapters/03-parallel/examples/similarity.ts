/**
 * similarity: which State of the Union addresses read alike? All 27,028 pairs compared, on one core and on all
 *
 *     pnpm --filter 03-parallel start similarity
 *     pnpm --filter 03-parallel start similarity --workers 2 --size 4
 *     pnpm --filter 03-parallel start similarity --texts ~/my-texts
 *
 * Each text is the set of its shingles, all runs of three consecutive words. The sets lie in shared memory. A worker is
 * told which rows of the table of scores to fill in; nothing else travels between threads.
 *
 * Look for: the speedup and the ceiling, the most that this machine could give; how much more the layout of the
 * data gains than a second core; and the dark blocks in the picture, where presidents quote themselves.
 */
import { setImmediate } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { path, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial, interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { drawPairs, identityOf, mostDocuments, readDocuments, titleOf } from '@repo/common/workloads/documents'
import { shingleSets } from '@repo/common/workloads/shingles'
import * as similarity from '@repo/common/workloads/similarity'
import { Piscina } from 'piscina'

export default example(import.meta, {
  options: {
    workers: workerCount().describe('worker threads'),
    size: wholeNumber(1, 50).default(3).describe('words in a shingle'),
    texts: path('a folder with .txt files').optional().describe('your own texts instead of the addresses'),
  },

  async run({ workers, size, texts: folder }, { signal, quick, print, picture }) {
    const documents = documentsFrom(folder)
    print(`Comparing ${count(documents.length)} texts by their shingles of ${size} words …`)
    const begin = performance.now()
    const texts = documents.map(({ text }) => text)
    const sets = shingleSets(texts, size)
    const prepareMs = performance.now() - begin
    // Without a single shingle, a text has nothing in common even with its own copy: the reader should know.
    const tooShort = documents.filter((_, text) => sets.sizes[text] === 0)

    // The sets and the table of scores lie in memory that all workers share.
    const parallel = similarity.comparisonOf(sets)
    await using pool = new Piscina<similarity.Band, void>({
      filename: new URL('../src/similarity/similarity.worker.ts', import.meta.url).href,
      workerData: parallel,
      minThreads: workers,
      maxThreads: workers,
      // A run takes some 35 ms, so the hand-over counts: a worker has its next band before it needs it, and a worker
      // without one waits on its event loop, which wakes it sooner than Atomics.wait, the default.
      concurrentTasksPerWorker: 2,
      atomics: 'disabled',
    })
    // Cut the table into bands of rows, more than there are workers: if one is held up, the others take over its share.
    const bands = similarity.splitEvenly(sets, workers * 8)
    const onThePool = () => Promise.all(bands.map((band) => pool.run(band, { signal })))

    // The same on this thread, in steps, so that Ctrl-C is heard in between.
    const serial = similarity.comparisonOf(sets)
    const contains = similarity.tableFor(sets)
    const onThisThread = async (compareRows: (band: similarity.Band) => void) => {
      for (const band of similarity.splitEvenly(sets, 64)) {
        compareRows(band)
        await setImmediate(undefined, { signal })
      }
    }
    using bar = progress('comparing all pairs', 1)
    const rounds = { rounds: quick ? 5 : 15, signal, onProgress: (done: number, of: number) => bar.update(done / of) }
    const onOneThread = () => onThisThread((band) => similarity.compareRows(serial, band, contains))
    const measured = await compareWithSerial({ workers, serial: onOneThread, parallel: onThePool }, rounds)
    const agree = serial.scores.every((score, at) => score === parallel.scores[at])
    if (!agree) throw new Error('one thread and the pool disagree about a score')

    // For comparison, an algorithm for just this measure, and what one would write first (slow, so not with --quick).
    const asSets = similarity.javaScriptSets(sets)
    const plain = similarity.comparisonOf(sets)
    const ways: Record<string, () => unknown> = { index: () => similarity.compareByIndex(sets) }
    if (!quick) ways.sets = () => onThisThread((band) => similarity.compareSetRows(asSets, plain, band))
    const timed = await interleave(ways, { ...rounds, rounds: 1 })
    const others = { prepareMs, indexMs: timed.index?.ms ?? Number.NaN, setsMs: timed.sets?.ms }

    const top = similarity.mostSimilar(parallel.scores, 5)
    // Everything as similar as the fifth pair gets the strongest colour; otherwise the rest would be pale.
    const strongest = top.at(-1)?.score || 1
    const subtitle = `the share of their shingles of ${size} words that two texts have in common`
    const svg = drawPairs(documents, similarity.symmetric(parallel.scores), strongest, subtitle)
    const drawn = await picture('similarity.svg', svg)
    const pairs = (documents.length * (documents.length - 1)) / 2
    const rows = [
      ['a byte table per row', 1, milliseconds(measured.serialMs)],
      ['a byte table per row, on the pool', workers, milliseconds(measured.parallelMs)],
      ['inverted index', 1, milliseconds(others.indexMs)],
    ]
    if (others.setsMs !== undefined) rows.unshift(['JavaScript Sets', 1, milliseconds(others.setsMs)])
    print(
      '',
      table(
        ['the most similar', 'and', 'in common'],
        top.map(({ a, b, score }) => [titleOf(documents[a]), titleOf(documents[b]), `${(100 * score).toFixed(1)} %`]),
      ),
      '',
      table([`${count(pairs)} pairs`, 'threads', 'time'], rows),
      '',
      `${times(measured.speedup)} as fast on ${workers} threads; this machine's ceiling is ${times(measured.ceiling)} (${measured.cores} cores): efficiency ${percent(measured.efficiency)}.`,
      `Cutting the texts into shingles took ${milliseconds(prepareMs)} before that, on one thread.`,
      ...(tooShort.length > 0
        ? [
            `Of fewer than ${size} words, so that their score is always 0: ${tooShort.slice(0, 5).map(titleOf).join(', ')}${tooShort.length > 5 ? ` and ${count(tooShort.length - 5)} more` : ''}.`,
          ]
        : []),
      `Picture: ${drawn}`,
    )
    const named = top.map(({ a, b, score }) => ({ a: identityOf(documents[a]), b: identityOf(documents[b]), score }))
    const found = { top: named, tooShort: tooShort.map(identityOf) }
    return { documents: documents.length, pairs, size, ...measured, ...others, ...found, picture: drawn }
  },
  figure: ({ pairs, speedup, workers, ceiling }) =>
    `${count(pairs)} pairs ${times(speedup)} as fast on ${workers} threads, ceiling ${times(ceiling)}`,
})

function documentsFrom(folder: string | undefined) {
  try {
    return readDocuments(folder)
  } catch (error) {
    const accepted = `a folder with 2 to ${count(mostDocuments)} .txt files, but ${(error as Error).message}`
    throw new UsageError('--texts', folder, accepted)
  }
}

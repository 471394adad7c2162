/** Whole jobs of chapter 3 on all cores: how close each way comes to what the machine gives, and how its time grows. */
import { join } from 'node:path'
import { coreCount } from '@repo/common/cores'
import { median } from '@repo/common/measure'
import { drawGrowth } from '@repo/common/output/costs'
import { count, milliseconds, percent } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { growthOf, measureSizes, shownSlope } from '../harness/growth.ts'
import { measured, type Row, type Suite, type Table } from '../harness/suite.ts'
import { ratiosOf, startEach } from '../harness/turns.ts'
import { type Contender, contenders as known } from './contenders.ts'
import { digestOf, type JobName, jobs } from './jobs.ts'

const rounds = { quick: 3, full: 7 }
const smallerRounds = { quick: 1, full: 3 }
const limitMs = 60_000

/** Returns the suite of some jobs with some contenders: in tests, with those that crash or print nonsense. */
export const computeWith = (contenders: Readonly<Record<string, Contender>>, jobNames: readonly JobName[]): Suite => ({
  metrics: Object.fromEntries(jobNames.map((name) => [name, { label: name, better: 'less' }])),
  contenders,

  async measure(rows, { quick, signal, onProgress }) {
    const scale = quick ? 'quick' : 'full'
    const workers = coreCount()
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder()).path
    const starting = {
      stack,
      limitMs,
      signal,
      onProgress: (what: string, share: number) => onProgress(what, 0.1 * share),
    }
    const started = await startEach(rows, starting, ({ id }) =>
      (contenders[id] as Contender).start({ workers, folder, signal }),
    )
    for (const [at, name] of jobNames.entries()) {
      const { sizes, prepare } = jobs[name]
      const options = {
        metric: name,
        sizes: sizes[scale],
        rounds: rounds[scale],
        smallerRounds: smallerRounds[scale],
        limitMs,
        signal,
        onProgress: (share: number) => onProgress(name, 0.1 + (0.9 * (at + share)) / jobNames.length),
      }
      await measureSizes(rows, options, async (size) => {
        const job = prepare(size, workers)
        const file = join(folder, `${name}-${size}`)
        await job.write(file)
        await job.alone()
        const expected = digestOf(job.result())
        return async (row) => {
          const done = await started.get(row)?.run({ name, size, job, file })
          if (done?.digest !== expected) throw new Error(`${name}: another result than that of one thread`)
          return done.ms
        }
      })
    }
  },

  tables: (rows) => [table(measured(rows), jobNames)].filter(({ rows }) => rows.length > 0),
  pictures: (rows) =>
    Object.fromEntries(
      jobNames.map((name) => {
        const shown = measured(rows).filter(({ id }) => drawn.includes(id))
        const ways = shown.map((row) => [row.label, growthOf(row, name)] as const)
        return [name, drawGrowth(`${titles[name]} on ${coreCount()} cores`, jobs[name].what, Object.fromEntries(ways))]
      }),
    ),
})

export const compute = computeWith(known, Object.keys(jobs) as JobName[])

/** As many as there are colours. The lines of the other pools lie on that of ours. */
const drawn = ['ours', 'numpy', 'futures', 'dask', 'alone', 'limit']

const titles = { similarity: 'Comparing all pairs of texts', mandelbrot: 'Drawing', sort: 'Sorting' }

function table(rows: readonly Row[], jobNames: readonly JobName[]): Table {
  const limit = rows.find(({ id }) => id === 'limit')
  const cells = (row: Row, name: string) => {
    const ms = median(row.samples[name] ?? [])
    // Both stand beside the reference of the same round.
    const share = limit && median(ratiosOf(limit, name)) / median(ratiosOf(row, name))
    return [
      Number.isNaN(ms) ? '–' : milliseconds(ms),
      share === undefined || Number.isNaN(share) ? '–' : percent(share),
      shownSlope(growthOf(row, name)),
    ]
  }
  const largest = jobNames.map(
    (name) => `${name} of ${count(growthOf(rows[0] as Row, name).at(-1)?.size ?? Number.NaN)} ${jobs[name].what}`,
  )
  return {
    title: `Whole jobs on ${coreCount()} cores`,
    head: ['', ...jobNames.flatMap((name) => [name, 'of the limit', 'slope'])],
    rows: rows.map((row) => [row.label, ...jobNames.flatMap((name) => cells(row, name))]),
    notes: [
      `${largest.join(', ')}. The limit: the best program on one thread, as often as there are cores, all at once; the time until all are done, divided by their number. Slope: of time against size on logarithmic axes, over four sizes.`,
      ...(median(rows.flatMap((row) => (row.id === 'numpy' ? ratiosOf(row, 'sort') : []))) < 1
        ? [
            'One process of NumPy sorts faster than all threads: with vector instructions, which JavaScript does not have.',
          ]
        : []),
    ],
  }
}

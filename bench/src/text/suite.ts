/** The text pipeline of chapter 2 beside programs made for it: how often a word occurs in files of up to 200 MB. */
import { median } from '@repo/common/measure'
import { drawGrowth } from '@repo/common/output/costs'
import { count, milliseconds, times } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { inBytes } from '02-async/grep/bytes'
import { searchFor } from '02-async/grep/pattern'
import { repeated, sourceOf } from '02-async/grep/requests'
import { growthOf, measureSizes, shownSlope } from '../harness/growth.ts'
import { measured, type Row, type Suite, type Table } from '../harness/suite.ts'
import { ratiosOf, startEach } from '../harness/turns.ts'
import { type Contender, contenders as known, word } from './contenders.ts'

const metric = 'ms'

/** In MB: whole copies of all State of the Union addresses. */
const sizes = { quick: [11, 22, 43, 86], full: [11, 32, 75, 204] }
const rounds = { quick: 5, full: 7 }
const limitMs = 60_000

/** Returns the suite with some contenders: in tests, with those that crash or print nonsense. */
export const textWith = (contenders: Readonly<Record<string, Contender>>): Suite => ({
  metrics: { [metric]: { label: 'time', better: 'less' } },
  contenders,

  async measure(rows, { quick, signal, onProgress }) {
    const scale = quick ? 'quick' : 'full'
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder()).path
    const place = { input: process.stdin, folder, signal }
    const addresses = await sourceOf([], place)
    const starting = {
      stack,
      limitMs,
      signal,
      onProgress: (what: string, share: number) => onProgress(what, 0.1 * share),
    }
    const started = await startEach(rows, starting, ({ id }) => (contenders[id] as Contender).start(signal))
    const options = { metric, sizes: sizes[scale], rounds: rounds[scale], limitMs, signal }
    await measureSizes(
      rows,
      { ...options, onProgress: (share) => onProgress('searching', 0.1 + 0.9 * share) },
      async (megabytes) => {
        const { files } = await repeated(addresses, Math.round((1e6 * megabytes) / addresses.bytes), place)
        const [file = ''] = files
        const expected = inBytes(searchFor(word), files).occurrences
        return async (row, stop) => {
          const counted = await started.get(row)?.count(file, stop)
          // The limit only reads.
          if (counted === undefined || (counted.occurrences ?? expected) !== expected) {
            throw new Error(`received ${counted?.occurrences} occurrences; there are ${expected}`)
          }
          return counted.ms
        }
      },
    )
  },

  tables: (rows) => [table(measured(rows))].filter(({ rows }) => rows.length > 0),
  pictures: (rows) => {
    const ways = measured(rows).map((row) => [row.label, growthOf(row, metric)])
    return { text: drawGrowth(`Counting a word in a file`, 'MB', Object.fromEntries(ways)) }
  },
})

export const text = textWith(known)

function table(rows: readonly Row[]): Table {
  const size = growthOf(rows[0] as Row, metric).at(-1)?.size ?? Number.NaN
  return {
    title: `How often "${word}" occurs in ${count(size)} MB`,
    head: ['', 'time', 'to ours', 'MB/s', 'slope'],
    rows: rows.map((row) => {
      const ms = median(row.samples[metric] ?? [])
      const ratio = median(ratiosOf(row, metric))
      return [
        row.label,
        Number.isNaN(ms) ? '–' : milliseconds(ms),
        Number.isNaN(ratio) ? '–' : times(ratio),
        Number.isNaN(ms) ? '–' : count(Math.round((1_000 * size) / ms)),
        shownSlope(growthOf(row, metric)),
      ]
    }),
    notes: [
      'Chapter 2 and Python search in a process that is there; grep, ripgrep and cat are started for each file, as a shell does. Slope: of time against size on logarithmic axes, over four sizes. The file lies in memory: the system has kept it.',
    ],
  }
}

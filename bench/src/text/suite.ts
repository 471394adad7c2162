/** The text pipeline of chapter 2 beside programs made for it: how often a word occurs in files of up to 200 MB. */
import { drawGrowth } from '@repo/common/output/costs'
import { count } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { inBytes } from '02-async/grep/bytes'
import { searchFor } from '02-async/grep/pattern'
import { repeated, sourceOf } from '02-async/grep/requests'
import { growthOf, growthTables, measureSizes } from '../harness/growth.ts'
import { measured, type Suite } from '../harness/suite.ts'
import { startEach } from '../harness/turns.ts'
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

  tables: (rows) =>
    growthTables(rows, metric, {
      title: (size) => `How often "${word}" occurs in ${count(size)} MB`,
      unit: 'MB',
      notes: [
        'Chapter 2 and Python search in a process that is there; grep, ripgrep and cat are started for each file, as a shell does. Slope: of time against size on logarithmic axes, over four sizes. The file lies in memory: the system has kept it.',
      ],
    }),
  pictures: (rows) => {
    const ways = measured(rows).map((row) => [row.label, growthOf(row, metric)])
    return { text: drawGrowth(`Counting a word in a file`, 'MB', Object.fromEntries(ways)) }
  },
})

export const text = textWith(known)

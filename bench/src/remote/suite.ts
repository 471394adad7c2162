/** A call of an object in another process, one after the other and many at once: what it costs, at four sizes of its argument. */
import { drawGrowth } from '@repo/common/output/costs'
import { bytes, duration, times } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { growthOf, measureSizes, ratioAt, shownSlope } from '../harness/growth.ts'
import { measured, type Row, type Suite, type Table } from '../harness/suite.ts'
import { startEach } from '../harness/turns.ts'
import { type Contender, contenders as known } from './contenders.ts'

/** In bytes. Chapter 4 accepts no message of more than a mebibyte. */
const sizes = [10, 1_000, 100_000, 1_000_000]
const rounds = { quick: 1, full: 7 }
/** Of the smaller sizes, at which the price of a call shows. */
const smallerRounds = { quick: 1, full: 5 }
/** The calls of a round, and their bytes together: of long texts there are fewer. */
const most = { quick: { calls: 300, bytes: 5e6 }, full: { calls: 2_000, bytes: 2e7 } }
const limitMs = 60_000

/** How many calls are under way at a time: of long texts fewer, because all of them are in memory. */
const ways = {
  alone: {
    title: 'One call after the other',
    note: 'What a remote object costs beyond a bare message is work of capnweb in the processor: both make one system call to write and one to read, on each side.',
    atOnceOf: () => 1,
  },
  together: {
    title: '1,000 calls at once, 10 MB at most',
    note: 'The time for each call. Client and server are two processes on this machine, in the same language. Pyro makes the calls at once as a batch, the others each by itself. The limit sends sizes and bytes, and counts them. Slope: of time against size on logarithmic axes, over four sizes.',
    atOnceOf: (size: number) => Math.min(1_000, 1e7 / size),
  },
}
const names = Object.keys(ways) as (keyof typeof ways)[]

/** Returns the suite with some contenders: in tests, with those that crash or say something wrong. */
export const remoteWith = (contenders: Readonly<Record<string, Contender>>): Suite => ({
  metrics: Object.fromEntries(names.map((name) => [name, { label: ways[name].title, better: 'less' }])),
  contenders,

  async measure(rows, { quick, signal, onProgress }) {
    const scale = quick ? 'quick' : 'full'
    await using stack = new AsyncDisposableStack()
    const starting = { stack, limitMs, signal, onProgress: (what: string) => onProgress(what, 0) }
    const started = await startEach(rows, starting, ({ id }) => (contenders[id] as Contender).start(signal))
    for (const [at, name] of names.entries()) {
      const options = {
        metric: name,
        sizes,
        rounds: rounds[scale],
        smallerRounds: smallerRounds[scale],
        limitMs,
        signal,
        onProgress: (share: number) => onProgress(ways[name].title, (at + share) / names.length),
      }
      await measureSizes(rows, options, async (size) => {
        const text = 'x'.repeat(size)
        const atOnce = ways[name].atOnceOf(size)
        const calls = Math.min(most[scale].calls, most[scale].bytes / size)
        return async (row, stop) => {
          const called = await started.get(row)?.call({ text, calls, atOnce }, stop)
          const wrong = called?.lengths.find((length) => length !== size)
          if (called?.lengths.length !== calls || wrong !== undefined) {
            throw new Error(`received ${wrong ?? `${called?.lengths.length} answers`}; accepts ${calls} times ${size}`)
          }
          return called.ms / calls
        }
      })
    }
  },

  tables: (rows) => names.map((name) => table(measured(rows), name)).filter(({ rows }) => rows.length > 0),
  pictures: (rows) =>
    Object.fromEntries(
      names.map((name) => {
        // As many as there are colours.
        const shown = measured(rows).filter(({ id }) => id !== 'pyro4')
        const drawn = shown.map((row) => [row.label, growthOf(row, name)])
        return [`remote-${name}`, drawGrowth(ways[name].title, 'bytes', Object.fromEntries(drawn))]
      }),
    ),
})

export const remote = remoteWith(known)

function table(rows: readonly Row[], name: keyof typeof ways): Table {
  const [smallest = 0, largest = 0] = [sizes.at(0), sizes.at(-1)]
  return {
    title: ways[name].title,
    head: ['', ...sizes.map(bytes), `${bytes(smallest)}, to ours`, `${bytes(largest)}, to ours`, 'slope'],
    rows: rows.map((row) => {
      const points = growthOf(row, name)
      const ratios = [smallest, largest].map((size) => ratioAt(row, name, size))
      return [
        row.label,
        ...sizes.map((size) => {
          const point = points.find((each) => each.size === size)
          return point ? duration(1e6 * point.ms) : '–'
        }),
        ...ratios.map((ratio) => (Number.isNaN(ratio) ? '–' : times(ratio))),
        shownSlope(points),
      ]
    }),
    notes: [ways[name].note],
  }
}

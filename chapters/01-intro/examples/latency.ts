/**
 * latency: the ladder from a function call over threads, processes and loopback to a wide-area network
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 01-intro start latency
 *     pnpm --filter 01-intro start latency --samples 20000
 *
 * Each rung is the time until something is done and known to be done: a call that has returned, a message that has been
 * answered. The wide-area network is simulated: connections on this machine whose bytes a timer holds back, 50 ms there
 * and 50 ms back. All the others are real.
 *
 * Look for: the factors between the rungs; how far the 99th percentile is from the median where an operating system
 * decides who runs next; and what else a thread could have done during one question to a far machine.
 */
import { availableParallelism } from 'node:os'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { quantile } from '@repo/common/measure'
import { draw, Plot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, table, yellow } from '@repo/common/output/terminal'
import { startLadder } from '../src/ladder/ladder.ts'

const rounds = 5

export default example(import.meta, {
  options: {
    samples: wholeNumber(100, 1_000_000).default(10_000).describe('times to measure, of the fast rungs'),
  },
  quick: { samples: 2_000 },

  async run({ samples }, { signal, print, picture }) {
    print('From a function call to a wide-area network, there and back …')
    await using ladder = await startLadder(signal)
    const { rungs, missing } = ladder
    using bar = progress('climbing', rungs.length * (rounds + 1))

    // In turn, so that what disturbs the machine for a while disturbs all; the first round warms up.
    const times = new Map<string, number[]>(rungs.map(({ name }) => [name, []]))
    for (let round = 0; round <= rounds; round++) {
      for (const [at, { name, share, measure }] of rungs.entries()) {
        signal.throwIfAborted()
        bar.update(round * rungs.length + at, name)
        const measured = await measure(Math.ceil(samples / share / rounds))
        if (round > 0) times.get(name)?.push(...measured)
      }
    }

    const rows = rungs.map(({ name, batch }) => {
      const ns = times.get(name) ?? []
      return { name, medianNs: quantile(ns, 0.5), p99Ns: quantile(ns, 0.99), samples: ns.length, batch }
    })
    const svg = draw({
      title: 'The ladder of latencies',
      subtitle: `there and back: the median as a dot, with its value, the line ends at the 99th percentile; ${availableParallelism()} cores`,
      x: { label: 'time', type: 'log', domain: [1, 1e9], ticks: 10, tickFormat: (ns) => duration(Number(ns)) },
      y: { label: '', type: 'band', domain: rows.map(({ name }) => name) },
      height: 110 + 34 * rows.length,
      marginLeft: 230,
      marginRight: 40,
      marks: [
        Plot.link(rows, {
          x1: 'medianNs',
          x2: 'p99Ns',
          y: 'name',
          stroke: palette[0],
          strokeWidth: 3,
          strokeOpacity: 0.5,
        }),
        Plot.dot(rows, { x: 'medianNs', y: 'name', fill: palette[0], r: 5 }),
        Plot.text(rows, {
          x: 'p99Ns',
          y: 'name',
          dx: 9,
          textAnchor: 'start',
          fill: 'currentColor',
          text: ({ medianNs }: { medianNs: number }) => duration(medianNs),
        }),
      ],
    })
    const call = rows[0]?.medianNs ?? Number.NaN
    const result = { cores: availableParallelism(), rungs: rows, missing, picture: await picture('latency.svg', svg) }
    print(
      '',
      table(
        ['there and back', 'median', '99th percentile', 'function calls', 'samples'],
        rows.map(({ name, medianNs, p99Ns, samples, batch }) => [
          name,
          duration(medianNs),
          duration(p99Ns),
          count(Math.round(medianNs / call)),
          batch === 1 ? count(samples) : `${count(samples)} of ${count(batch)}`,
        ]),
      ),
      '',
      ...missing.map((what) => yellow(`Left out: ${what}`)),
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ rungs }) => {
    const of = (name: string) => duration(rungs.find((rung) => rung.name.startsWith(name))?.medianNs ?? Number.NaN)
    return `a call ${of('function')}, a thread and back ${of('message')}, TCP on loopback ${of('TCP')}`
  },
})

/** A time for a reader: `2.1 ns`, `35 µs`, `100 ms`. */
function duration(ns: number): string {
  const units = ['ns', 'µs', 'ms', 's']
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(ns) / 3)))
  const scaled = ns / 1000 ** at
  return `${scaled >= 10 ? scaled.toFixed(0) : Number(scaled.toPrecision(2))} ${units[at]}`
}

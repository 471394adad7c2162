/** What handing over a task costs on each rung of the ladder, and how large a task must be before that pays. */
import { coreCount } from '@repo/common/cores'
import { median } from '@repo/common/measure'
import { draw, palette } from '@repo/common/output/plots'
import { count, duration, times } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { measured, type Row, type Suite, type Table } from '../harness/suite.ts'
import { attempt, type Participant, ratiosOf, takeTurns } from '../harness/turns.ts'
import { type Running, rungs, startRung } from './rungs.ts'

const metrics = {
  togetherNs: { label: 'a task among many', better: 'less' },
  aloneNs: { label: 'a task alone', better: 'less' },
} as const

const sizes = {
  quick: { rounds: 5, aloneMs: 5, share: 0.2 },
  full: { rounds: 9, aloneMs: 50, share: 1 },
}
/** Starting a cluster or a database takes some seconds. */
const limitMs = 120_000

/** How many tasks, one after the other, take about `ms`; at least one. */
async function countFor({ alone }: Running, ms: number): Promise<number> {
  for (let count = 1; ; count *= 4) {
    const begin = performance.now()
    await alone(count)
    const took = performance.now() - begin
    if (took > ms / 4) return Math.max(1, Math.round((count * ms) / took))
  }
}

const nsOf = async (work: () => unknown, count: number) => {
  const begin = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - begin) / count
}

export const ladder: Suite = {
  metrics,
  contenders: rungs,

  async measure(rows, { quick, signal, onProgress }) {
    const { rounds, aloneMs, share } = quick ? sizes.quick : sizes.full
    await using stack = new AsyncDisposableStack()
    const participants: Participant[] = []
    for (const [at, row] of rows.entries()) {
      const rung = rungs[row.id]
      if (!rung) throw new Error(`no rung ${row.id}`)
      onProgress(`starting ${row.label}`, (0.3 * at) / rows.length)
      const started = await attempt(row, { limitMs, signal }, async () => {
        const running = stack.use(await startRung(rung, signal))
        return { running, count: await countFor(running, aloneMs) }
      })
      if (started?.running.version) row.version = started.running.version
      if (started?.running.durability) row.durability = started.running.durability
      const many = Math.max(1, Math.round(rung.many * share))
      participants.push({
        row,
        async round() {
          if (!started) throw new Error('not started')
          const { running, count } = started
          return {
            aloneNs: await nsOf(() => running.alone(count), count),
            togetherNs: await nsOf(() => running.together(many), many),
          }
        },
      })
    }
    await takeTurns(participants, {
      metrics: Object.keys(metrics),
      rounds,
      limitMs,
      signal,
      onProgress: (share) => onProgress('climbing', 0.3 + 0.7 * share),
    })
    for (const row of rows) {
      const from = rungs[row.id]?.isOnThread ? undefined : paysFrom(overhead(row, 'togetherNs'))
      row.figures.paysFromNs = from === undefined || Number.isNaN(from) ? null : from
    }
  },

  tables: (rows) => [table(measured(rows))].filter(({ rows }) => rows.length > 0),
  pictures: (rows) => ({ ladder: drawLadder(measured(rows)) }),
}

/**
 * How long a task must be for all cores together to be faster than one of them, when each task costs that much more: below,
 * (overhead + task) ÷ cores > task. Undefined on one core, where handing over never pays.
 */
function paysFrom(overheadNs: number, cores = coreCount()): number | undefined {
  return cores > 1 ? overheadNs / (cores - 1) : undefined
}

const overhead = (row: Row, metric: keyof typeof metrics) => median(row.samples[metric] ?? [])

function table(rows: readonly Row[]): Table {
  const cores = coreCount()
  const shown = (ns: number | undefined) => (ns === undefined || Number.isNaN(ns) ? '–' : duration(ns))
  return {
    title: 'One small task',
    head: ['by', 'alone', 'among many', 'to a call', `pays from, ${cores} cores`],
    rows: rows.map((row) => [
      row.label,
      shown(overhead(row, 'aloneNs')),
      shown(overhead(row, 'togetherNs')),
      factor(median(ratiosOf(row, 'togetherNs'))),
      rungs[row.id]?.isOnThread ? 'never' : shown(paysFrom(overhead(row, 'togetherNs'))),
    ]),
    notes: [
      'Alone: from handing in one task to its result, one after the other. Among many: the time for each when many are handed in at once. Pays from: the length of a task from which on all cores of this machine, each paying the price among many, are faster than one thread that pays nothing.',
    ],
  }
}

/** Two digits are enough, over so many decades. */
const factor = (ratio: number) =>
  Number.isNaN(ratio) ? '–' : ratio < 100 ? times(ratio) : `${count(Number(ratio.toPrecision(2)))}×`

function drawLadder(rows: readonly Row[]): string {
  const shown = rows.map((row) => ({
    name: row.label,
    alone: overhead(row, 'aloneNs'),
    together: overhead(row, 'togetherNs'),
  }))
  return draw({
    title: 'What handing over one task costs',
    subtitle: `from a task among many, with its figure, to a task alone; shorter tasks are better done by a call; ${coreCount()} cores`,
    x: { label: 'time', type: 'log', domain: [0.1, 1e10], ticks: 11, tickFormat: (ns) => duration(Number(ns)) },
    y: { label: '', type: 'band', domain: shown.map(({ name }) => name) },
    height: 120 + 30 * shown.length,
    marginLeft: 200,
    marginRight: 50,
    grid: 'x',
    legend: [
      { name: 'among many', color: palette[0], style: 'dots' },
      { name: 'alone', color: palette[1], style: 'dots' },
    ],
    marks: (plot) => [
      plot.link(shown, { x1: 'together', x2: 'alone', y: 'name', stroke: palette[5], strokeWidth: 3, opacity: 0.5 }),
      plot.dot(shown, { x: 'together', y: 'name', fill: palette[0], r: 5 }),
      plot.dot(shown, { x: 'alone', y: 'name', fill: palette[1], r: 4 }),
      plot.text(shown, {
        x: ({ alone, together }) => Math.max(alone, together),
        y: 'name',
        text: ({ together }) => duration(together),
        dx: 9,
        textAnchor: 'start',
        fill: 'currentColor',
      }),
    ],
  })
}

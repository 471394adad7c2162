/** The drill of chapter 4 on many engines: what they give, what they cost, and what they lose. */

import { median, quantile } from '@repo/common/measure'
import { barPlot, palette } from '@repo/common/output/plots'
import { bytes, count, milliseconds, times } from '@repo/common/output/terminal'
import { connectRedis } from '@repo/common/servers/connect'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { newRow, type Row, type Suite, type Table } from '../harness/suite.ts'
import { attempt, type Participant, ratiosOf, takeTurns } from '../harness/turns.ts'
import { drill, type FaultKind, faultKinds } from './drill.ts'
import { adapterLines, engines as known } from './engines.ts'
import { type OpenEngine, openEngine, workerCount, workOptions } from './open-engine.ts'

const metrics = {
  perSecond: { label: 'jobs a second', better: 'more' },
  p50Ms: { label: 'median latency', better: 'less' },
  p99Ms: { label: '99th percentile of latency', better: 'less' },
} as const

/** Of each kind of broker one that starts fast, and those of Redis: all twelve would take longer than `--quick` may. */
const quickIds = ['layer', 'bullmq', 'bee', 'pg-boss', 'sqs']

const sizes = {
  quick: { rounds: 3, handMs: 200, oneMs: 150, waiting: 500, jobs: 300, patienceMs: 10_000, limitMs: 60_000 },
  // Seven rounds are what the test of ranks needs for so many ratios. RQ and graphile-worker may give a dead worker's jobs to
  // another one after the drill's patience: to wait for that would take minutes for each fault.
  full: { rounds: 7, handMs: 400, oneMs: 300, waiting: 2_000, jobs: 2_500, patienceMs: 20_000, limitMs: 900_000 },
}

/** The fewest and the most jobs of a round. */
const [fewest, most] = [20, 5_000]

/** The jobs that an engine does in about `ms`. */
async function jobsFor(engine: OpenEngine, waiting: number, ms: number): Promise<number> {
  // Those that wait already are the warm-up, which also says how fast it is.
  const begin = performance.now()
  await engine.untilSmallDone()
  return Math.round(Math.min(most, Math.max(fewest, (waiting * ms) / (performance.now() - begin))))
}

/** One round: many jobs handed in at once, then one after the other for a while. */
async function round(engine: OpenEngine, jobs: number, oneMs: number, signal: AbortSignal) {
  const begin = performance.now()
  await engine.hand(jobs)
  await engine.untilSmallDone(signal)
  const perSecond = (1_000 * jobs) / (performance.now() - begin)
  const latencies: number[] = []
  for (const end = performance.now() + oneMs; performance.now() < end; ) {
    const sent = performance.now()
    await engine.hand(1)
    await engine.untilSmallDone(signal)
    latencies.push(performance.now() - sent)
  }
  return { perSecond, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }
}

const kinds = Object.keys(faultKinds) as FaultKind[]
/** The key of a figure of one fault. */
const of = (kind: FaultKind, what: 'jobs' | 'lost' | 'held' | 'doubled' | 'begunTwice' | 'recoveryMs') =>
  `${kind}: ${what}`

export const engines: Suite = {
  metrics,
  contenders: known,

  async measure(rows, { quick, signal, onProgress }) {
    const { rounds, handMs, oneMs, waiting, jobs, patienceMs, limitMs } = quick ? sizes.quick : sizes.full
    // With every engine, the jobs book in the same Redis.
    if (!(await findRedisServer())) {
      for (const row of rows) row.failed = `needs Redis for the ledger: ${installRedis}`
      return
    }
    await using ledgerServer = await startRedis({ appendOnly: true, own: true, signal })
    const ledgerUrl = ledgerServer.url
    const ledger = await connectRedis(ledgerUrl)
    using _ledger = { [Symbol.dispose]: () => ledger.disconnect() }
    const [referenceRow] = rows
    if (!referenceRow) return
    let at = 0
    const progressOf = (what: string, share: number) => onProgress(what, (at + share) / rows.length)

    /** Starts an engine, and measures what waiting jobs need. */
    async function start(row: Row, stop: AbortSignal) {
      const engine = known[row.id]
      if (!engine) throw new Error(`no engine ${row.id}`)
      progressOf(`starting ${row.label}`, 0)
      const open = await openEngine(row.id, engine, { ledgerUrl, signal: stop })
      try {
        row.version = [await engine.version(), open.broker.version].filter(Boolean).join(', ')
        row.durability = open.broker.durability
        row.figures.adapterLines = await adapterLines(engine)
        const before = await open.footprint()
        await open.hand(waiting)
        const after = await open.footprint()
        const each = (a?: number, b?: number) => (a === undefined || b === undefined ? null : (b - a) / waiting)
        row.figures.memoryPerJob = each(before.memory, after.memory)
        row.figures.diskPerJob = each(before.disk, after.disk)
        await open.startWorkers()
        const perRound = await jobsFor(open, waiting, handMs)
        const participant = { row, round: (stop: AbortSignal) => round(open, perRound, oneMs, stop) }
        return { open, participant, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() }
      } catch (error) {
        await open[Symbol.asyncDispose]()
        throw error
      }
    }

    /** @param reference measured beside it, in a row of its own; undefined for the reference itself */
    async function measureOne(row: Row, stop: AbortSignal, reference?: Participant) {
      await using started = await start(row, stop)
      const { open, participant } = started
      const beside = reference ? [{ ...reference, row: { ...newRow('', ''), failed: reference.row.failed } }] : []
      await takeTurns([...beside, participant], {
        metrics: Object.keys(metrics),
        rounds,
        limitMs,
        signal: stop,
        onProgress: (share) => progressOf(`${row.label}: jobs`, 0.1 + 0.5 * share),
      })
      row.figures.brokerMemory = (await open.footprint()).memory ?? null
      const memories = (await open.workerMemory()).flatMap((size) => size ?? [])
      row.figures.workerMemory = memories.length > 0 ? median(memories) : null
      if (row.failed !== undefined) return
      // As many as it does in a while: a slow engine would take hours.
      const perSecond = median(row.samples.perSecond ?? [])
      const share = Math.max(200, Math.min(jobs, Math.round(10 * perSecond)))
      for (const [number, kind] of (quick ? kinds.slice(0, 1) : kinds).entries()) {
        if (open.broker.faultless !== undefined && (kind === 'broker killed' || kind === 'machine lost')) continue
        const onDone = (done: number) =>
          progressOf(`${row.label}: ${kind}`, 0.6 + (0.4 * (number + Math.min(1, done / share))) / kinds.length)
        const options = { jobs: share, strikes: quick ? 1 : faultKinds[kind], patienceMs, ledger, onProgress: onDone }
        const { recoveryMs, ...counts } = await drill(open, kind, options)
        for (const [what, value] of Object.entries(counts)) row.figures[of(kind, what as keyof typeof counts)] = value
        const known = recoveryMs.filter((ms) => ms !== null)
        row.figures[of(kind, 'recoveryMs')] = known.length > 0 ? median(known) : null
      }
    }

    const options = { limitMs, signal }
    // Its own row first; then it stays beside the others.
    await attempt(referenceRow, options, (stop) => measureOne(referenceRow, stop))
    at = 1
    const besideOthers = newRow(referenceRow.id, referenceRow.label)
    const reference =
      rows.length > 1 ? await attempt(besideOthers, options, () => start(besideOthers, signal)) : undefined
    const missing: Participant = { row: besideOthers, round: async () => ({}) }
    try {
      for (const row of rows.slice(1)) {
        if (quick && !quickIds.includes(row.id)) row.failed = 'left out by --quick'
        else await attempt(row, options, (stop) => measureOne(row, stop, reference?.participant ?? missing))
        at++
      }
    } finally {
      await reference?.[Symbol.asyncDispose]()
    }
  },

  tables: (rows) => [speed(measured(rows)), faults(measured(rows))].filter(({ rows }) => rows.length > 0),
  pictures: (rows) => ({ engines: drawRates(measured(rows)) }),
}

const measured = (rows: readonly Row[]) => rows.filter((row) => (row.samples.perSecond ?? []).length > 0)
const sample = (row: Row, metric: keyof typeof metrics) => median(row.samples[metric] ?? [])
const shown = (value: number | undefined, show: (value: number) => string) =>
  value === undefined || Number.isNaN(value) ? '–' : show(value)
const figure = (row: Row, name: string, show: (value: number) => string) => {
  const value = row.figures[name]
  return shown(typeof value === 'number' ? value : undefined, show)
}

function speed(rows: readonly Row[]): Table {
  return {
    title: 'What they give and what they cost',
    head: [
      '',
      'jobs a second',
      'to ours',
      'median',
      '99th percentile',
      'broker',
      'a worker',
      'waiting job: memory',
      'disk',
      'lines',
    ],
    rows: rows.map((row) => [
      row.label,
      shown(sample(row, 'perSecond'), (value) => count(Math.round(value))),
      shown(median(ratiosOf(row, 'perSecond')), times),
      shown(sample(row, 'p50Ms'), milliseconds),
      shown(sample(row, 'p99Ms'), milliseconds),
      figure(row, 'brokerMemory', bytes),
      figure(row, 'workerMemory', bytes),
      figure(row, 'memoryPerJob', bytes),
      figure(row, 'diskPerJob', bytes),
      figure(row, 'adapterLines', String),
    ]),
    notes: [
      `${workerCount} worker processes with ${workOptions.concurrency} jobs at a time each. Jobs a second: small jobs that are handed in at once. Latency: from handing in one job to its end, on an idle engine. Nobody fetches results. Memory counts what several processes share once.`,
    ],
  }
}

function faults(rows: readonly Row[]): Table {
  const tried = kinds.filter((kind) => rows.some((row) => row.figures[of(kind, 'jobs')] !== undefined))
  return {
    title: 'What they lose: begun twice · lost · still held · doubled, and how long it takes to recover',
    head: ['', 'jobs each', ...tried.flatMap((kind) => [kind, 'recovery'])],
    rows: rows.flatMap((row) => {
      if (!tried.some((kind) => row.figures[of(kind, 'jobs')] !== undefined)) return []
      return [
        [
          row.label,
          figure(row, of('worker killed', 'jobs'), count),
          ...tried.flatMap((kind) => {
            if (row.figures[of(kind, 'jobs')] === undefined) return ['–', '–']
            const counts = (['begunTwice', 'lost', 'held', 'doubled'] as const).map((what) =>
              figure(row, of(kind, what), count),
            )
            const recovery = figure(row, of(kind, 'recoveryMs'), milliseconds)
            return [counts.join(' · '), recovery === '–' ? 'none' : recovery]
          }),
        ],
      ]
    }),
    notes: [
      `A worker without a sign of life loses its jobs after ${workOptions.leaseMs / 1_000} s, where this can be set. Lost: the effect did not happen, and the engine does not know the job any more. Still held: the engine has the job, but nobody was given it within the drill's patience. A key makes each effect happen once; begun twice counts what it had to prevent.`,
    ],
  }
}

function drawRates(rows: readonly Row[]): string {
  return barPlot({
    title: 'Small jobs per second',
    subtitle: `handed in at once; ${workerCount} worker processes of ${workOptions.concurrency} jobs at a time; median of the rounds`,
    x: { label: 'jobs per second' },
    bars: rows.map((row, at) => {
      const rate = sample(row, 'perSecond')
      return {
        name: row.label,
        value: rate,
        label: count(Math.round(rate)),
        color: palette[at === 0 ? 1 : 0],
      }
    }),
  })
}

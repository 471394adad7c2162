/**
 * replicas: how many copies a write and a read wait for, and what each choice promises
 *
 *     pnpm --filter 08-road-ahead start replicas
 *     pnpm --filter 08-road-ahead start replicas --n 5 --w 4 --loss 10
 *     pnpm --filter 08-road-ahead start replicas --delays 0,10,200
 *
 * The copies have no leader: a client asks all of them, and goes on when W or R of them have answered. That is simulated, and
 * a seed decides everything. Redis is real: a primary, and a replica behind a slow link.
 *
 * Look for: no stale read where R + W > N, and yet a history that no order explains; the acknowledged writes that a slow clock
 * loses; how a copy that was away catches up; and what is lost when a Redis replica takes over.
 */
import { example } from '@repo/common/example/example'
import { listOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { messageOf } from '@repo/common/output/errors'
import { draw, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, percent, table } from '@repo/common/output/terminal'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { search } from '@repo/simulator/search'
import { drawSequence } from '@repo/simulator/sequence-picture'
import { historyText } from '@repo/simulator/simulator'
import { clients, quorumSystem, searchedScenarios } from '../src/replicas/group.ts'
import type { Setting } from '../src/replicas/quorum.ts'
import { type ReplicaTrial, tryReplica } from '../src/replicas/redis.ts'
import { staleAfterReturn, type Trial, trial } from '../src/replicas/trial.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
/** Reads since a copy is back. */
const readCounts = [0, 20, 50, 100, 200, 400]

/** Versions by counter, and nothing is repaired. */
const settingOf = (n: number, w: number, r: number): Setting => ({
  copies: names.slice(0, n),
  keeper: 'k',
  w,
  r,
  order: 'counter',
  repair: 'none',
  handOff: 'none',
})

export default example(import.meta, {
  options: {
    n: wholeNumber(3, names.length).optional().describe('copies; all settings of 3, and one of 5, by default'),
    w: wholeNumber(1, names.length).optional().describe('copies that a write waits for; 1 to N by default'),
    r: wholeNumber(1, names.length).optional().describe('copies that a read waits for; 1 to N by default'),
    operations: wholeNumber(100, 20_000).default(4_000).describe('of clients, with each setting'),
    loss: wholeNumber(0, 40).default(5).describe('percent of the messages are lost, and as many are late'),
    behind: wholeNumber(0, 10_000).default(200).describe('ms by which the clock of one client is slow'),
    histories: wholeNumber(1, 10_000_000).default(20_000).describe('are run in search of one that no order explains'),
    keys: wholeNumber(10, 1_000).default(100).describe('that are written while a copy is away'),
    delays: listOf(wholeNumber(0, 500), 'ms from 0 to 500, such as 0,20', { distinct: true })
      .default([0, 5, 20, 100])
      .describe('of the link to the Redis replica, in each direction'),
    seed: seedNumber().default(1).describe('for everything that is simulated'),
  },
  quick: { operations: 1_000, histories: 3_000, keys: 50, delays: [0, 50] },

  async run({ n: size, w, r, operations, loss, behind, histories, keys, delays, seed }, context) {
    const { signal, quick, print, picture } = context
    const n = size ?? 3
    for (const [name, value = 0] of Object.entries({ w, r })) {
      if (value > n) throw new UsageError(`--${name}`, value, `a whole number from 1 to N, which is ${n}`)
    }
    const server = await findRedisServer()
    /** Progress and Ctrl-C have their turn. */
    const turn = async () => {
      await new Promise((resolve) => setTimeout(resolve))
      signal.throwIfAborted()
    }

    // The same requests, lost messages and absences for each choice of W and R.
    const upTo = Array.from({ length: n }, (_, at) => at + 1)
    const settings = (w ? [w] : upTo).flatMap((w) => (r ? [r] : upTo).map((r) => settingOf(n, w, r)))
    if (!size && !w && !r) settings.push(settingOf(5, 3, 3))
    const majority = Math.floor(n / 2) + 1
    const own = settingOf(n, majority, majority)
    const variants: [string, Setting, number][] = [
      ['by counter', own, 0],
      ['repair before the answer', { ...own, repair: 'before' }, 0],
      ['by clock', { ...own, order: 'clock' }, 0],
      ['by clock, one is slow', { ...own, order: 'clock' }, behind],
      ['by clock, hints count', { ...own, order: 'clock', handOff: 'sloppy' }, 0],
    ]
    const options = { operations, loss: loss / 100, seed }
    const trials: (Trial & { n: number; w: number; r: number })[] = []
    const varied: (Trial & { variant: string })[] = []
    {
      using bar = progress('trials', settings.length + variants.length)
      for (const setting of settings) {
        const { copies, w, r } = setting
        trials.push({ n: copies.length, w, r, ...trial(setting, { ...options, behindMs: 0 }) })
        bar.update(trials.length)
        await turn()
      }
      for (const [variant, setting, behindMs] of variants) {
        varied.push({ variant, ...trial(setting, { ...options, behindMs }) })
        bar.update(trials.length + varied.length)
        await turn()
      }
    }
    print(
      table(
        ['N', 'W', 'R', 'R + W > N', ...trialColumns],
        trials.map((each) => [each.n, each.w, each.r, each.r + each.w > each.n ? 'yes' : 'no', ...trialCells(each)]),
      ),
      '',
      table(
        [`N ${n}, W ${majority}, R ${majority}`, ...trialColumns],
        varied.map((each) => [each.variant, ...trialCells(each)]),
      ),
      '',
      `${count(operations)} operations on 5 keys; ${loss} % of the messages are lost, and as many late. Times are virtual, in the mean.`,
      '"One away", "two away": the operations that are answered while so many copies are cut off.',
      '',
    )

    // How few messages does it take until no order explains the answers?
    const searches = []
    for (const [variant, setting] of [
      ['no repair', own],
      ['repair after the answer', { ...own, repair: 'after' }],
      ['repair before the answer', { ...own, repair: 'before' }],
      ['versions by clock', { ...own, repair: 'before', order: 'clock' }],
    ] satisfies [string, Setting][]) {
      using bar = progress(variant, histories)
      const scenarios = searchedScenarios(setting)
      const settings = { seed, scenarios, histories, beginnings: quick ? 3 : 10 }
      const onProgress = (done: number) => bar.update(done)
      const report = await search(quorumSystem(setting), settings, { signal, onProgress })
      const { run, shortest } = report.found ?? {}
      searches.push({
        variant,
        setting,
        histories: report.histories,
        ms: report.ms,
        violation: run?.violations[0],
        events: run?.history.length,
        history: run?.history,
        scenario: shortest,
      })
    }
    print(
      table(
        ['searched', 'histories', 'until found', 'events', 'what no order explains'],
        searches.map(({ variant, histories, ms, events, violation }) => [
          variant,
          count(histories),
          milliseconds(ms),
          events ?? '',
          violation ?? 'none found',
        ]),
      ),
    )
    const nodes = [...own.copies, ...clients]
    const pictures: string[] = []
    for (const { variant, history, violation } of searches) {
      // With repair after the answer it is the same one.
      if (!history || variant === 'repair after the answer') continue
      print('', `The shortest history with ${variant}:`, '', historyText(history, nodes), '', `→ ${violation}`)
      const file = pictures.length === 0 ? 'replicas.svg' : 'replicas-clock.svg'
      const title = `${n} copies, W ${majority}, R ${majority}: ${variant}`
      pictures.push(await picture(file, drawSequence(history, { columns: nodes, title, subtitle: violation ?? '' })))
    }

    // A copy was away while all keys were written. How does it catch up?
    const returns = []
    for (const [way, changes, keeperDoes] of [
      ['nothing', {}, 'stay'],
      ['read repair', { repair: 'after' }, 'stay'],
      ['hints', { handOff: 'hints' }, 'stay'],
      ['both', { repair: 'after', handOff: 'hints' }, 'stay'],
      ['hints, their keeper restarts', { handOff: 'hints' }, 'restart'],
      ['hints, their keeper dies', { handOff: 'hints' }, 'die'],
      ['both, their keeper dies', { repair: 'after', handOff: 'hints' }, 'die'],
    ] satisfies [string, Partial<Setting>, 'stay' | 'restart' | 'die'][]) {
      const setting = { ...own, ...changes }
      const stale = readCounts.map((reads) => staleAfterReturn(setting, { keys, reads, keeperDoes, seed }))
      returns.push({ way, stale })
      await turn()
    }
    print(
      '',
      table(
        [
          'stale keys of a copy that is back',
          ...readCounts.map((reads) => (reads === 0 ? 'at once' : `${reads} reads`)),
        ],
        returns.map(({ way, stale }) => [way, ...stale]),
      ),
      '',
      `Of ${count(keys)} keys, which were all written while it was away; a read of any of them every 10 ms.`,
    )

    // Redis answers as soon as its primary has a write; with WAIT 1 the client also waits for the replica.
    const rows: (ReplicaTrial & { delayMs: number; waits: boolean })[] = []
    let why = server ? undefined : `needs Redis: ${installRedis}`
    if (server) {
      using bar = progress('Redis', 2 * delays.length)
      try {
        for (const delayMs of delays) {
          for (const waits of [false, true]) {
            rows.push({
              delayMs,
              waits,
              ...(await tryReplica({ delayMs, waits, rounds: quick ? 20 : 60, seed, signal })),
            })
            bar.update(rows.length)
          }
        }
      } catch (error) {
        signal.throwIfAborted()
        why = messageOf(error)
      }
    }
    print(
      '',
      table(
        [`Redis ${server?.version ?? ''}`, 'a write', 'stale reads', 'acknowledged', 'lost', 'seen and gone'],
        [
          ...rows.map((row) => [
            `${row.delayMs} ms to the replica${row.waits ? ', WAIT 1' : ''}`,
            milliseconds(row.writeMs),
            `${row.stale} of ${row.reads}`,
            count(row.acknowledged),
            count(row.lost),
            count(row.gone),
          ]),
          ...(why === undefined ? [] : [[why, '', '', '', '', '']]),
        ],
      ),
      '',
      'The primary was killed with SIGKILL, and its replica made the primary: which writes it lacks.',
    )

    const square = trials.filter((each) => each.n === n)
    pictures.push(
      await picture('replicas-settings.svg', drawSettings(square, `${n} copies, ${loss} % of the messages lost`)),
    )
    print(`Pictures: ${pictures.join(', ')}`)
    const alarm = searches.find(
      ({ setting, violation }) => setting.repair === 'before' && setting.order === 'counter' && violation,
    )
    if (alarm) throw new Error(`${alarm.variant}, with --seed ${seed}: ${alarm.violation}`)
    return {
      seed,
      settings: trials,
      variants: varied,
      searches: searches.map(({ history: _, setting: __, ...row }) => row),
      returns: { keys, reads: readCounts, ways: returns },
      redis: { version: server?.version, why, rows },
      pictures,
    }
  },
  figure: ({ settings, searches }) => {
    const stale = settings.filter(({ n, w, r }) => r + w > n).reduce((sum, each) => sum + each.stale, 0)
    const [first] = searches
    return `R + W > N: ${count(stale)} stale reads; new, then old after ${first?.events ?? 'no'} events`
  },
})

const trialColumns = ['stale reads', 'went back', 'lost writes', 'write', 'read', 'one away', 'two away']
const trialCells = ({ reads, stale, backwards, writes, lost, writeMs, readMs, oneAway, twoAway }: Trial) => [
  `${count(stale)} of ${count(reads)}`,
  count(backwards),
  `${count(lost)} of ${count(writes)}`,
  milliseconds(writeMs),
  milliseconds(readMs),
  percent(oneAway),
  percent(twoAway),
]

/** A cell for each W and R: the redder, the more reads are stale. */
function drawSettings(trials: readonly (Trial & { w: number; r: number })[], subtitle: string): string {
  const most = Math.max(...trials.map(({ stale }) => stale), 1)
  const cells = trials.map(({ w, r, stale, reads, writeMs, readMs }) => ({
    w: `W ${w}`,
    r: `R ${r}`,
    shade: (0.6 * stale) / most,
    text: `${((100 * stale) / reads).toFixed(1)} % stale\nwrite ${milliseconds(writeMs)}\nread ${milliseconds(readMs)}`,
  }))
  const [columns, rows] = (['r', 'w'] as const).map((of) => [...new Set(cells.map((cell) => cell[of]))])
  return draw({
    title: 'Stale reads, and how long a write and a read take',
    subtitle,
    width: 110 + 130 * columns.length,
    innerHeight: 70 * rows.length,
    grid: false,
    x: { label: '', type: 'band', domain: columns },
    y: { label: '', type: 'band', domain: rows },
    marks: (plot) => [
      plot.cell(cells, { x: 'r', y: 'w', fill: palette[4], fillOpacity: 'shade', stroke: palette[5], inset: 2 }),
      plot.text(cells, { x: 'r', y: 'w', text: 'text', fill: 'currentColor', fontSize: 12, lineHeight: 1.3 }),
    ],
  })
}

/**
 * transfer: money between two stores that share no transaction: two-phase commit, a saga, an outbox, and two ways that
 * lose or double it
 *
 *     pnpm --filter 08-road-ahead start transfer
 *     pnpm --filter 08-road-ahead start transfer --ways 2pc --down 2000
 *     pnpm --filter 08-road-ahead start transfer --histories 20000 --seed 7
 *
 * Each way is a handler that yields effects. First in the simulator: a search for a history that breaks the money, and a
 * crash of each process after each of its effects. Then the same handlers as processes, on two databases of PostgreSQL
 * and on BullMQ. They are killed with SIGKILL after each of their effects, while somebody reads both balances and
 * somebody writes to both accounts.
 *
 * Look for: what is lost and doubled; what the sum of both balances was in between; and how long others waited when the
 * coordinator of the two-phase commit was dead.
 */
import { example } from '@repo/common/example/example'
import { listOf, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { findPostgres, installPostgres, startPostgres } from '@repo/common/servers/postgres'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { search } from '@repo/simulator/search'
import { historyText } from '@repo/simulator/simulator'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Change, type Extremes, longest, opening, spansOf } from '../src/transfer/reader.ts'
import { type Kill, killAfter } from '../src/transfer/real.ts'
import { type Crash, crashAfterEach, isPoll, transferScenarios, transferSystem } from '../src/transfer/simulated.ts'
import { effectsOf, isNaive, nodes, rolesOf, type Way, wayNames } from '../src/transfer/ways.ts'

export default example(import.meta, {
  options: {
    ways: listOf(oneOf(...wayNames), `a list of ${wayNames.join(', ')}`, { distinct: true })
      .default(wayNames)
      .describe('to try'),
    histories: wholeNumber(1, 10_000_000).default(10_000).describe('are searched for broken money'),
    down: wholeNumber(10, 60_000).default(500).describe('ms that a process is away after a crash'),
    seed: seedNumber().default(1).describe('for everything that is simulated'),
  },
  quick: { histories: 1_000, down: 50, ways: ['commit-then-send', '2pc', 'saga', 'outbox'] },

  async run({ ways: wanted, histories, down, seed }, { signal, print, picture }) {
    // In the simulator.
    const simulated = []
    for (const way of wanted) {
      using bar = progress(way, histories)
      const report = await search(
        transferSystem(way),
        { seed, scenarios: transferScenarios(way), histories },
        { signal, onProgress: (done) => bar.update(done) },
      )
      simulated.push({ way, report, ...crashAfterEach(way, down) })
    }
    print(
      `Simulated: up to ${count(histories)} histories of 1 to 4 transfers, and a crash for ${count(down)} ms after each effect.`,
      '',
      table(
        ['way', 'broken in history', 'crashes', ...columns, 'locked', 'messages'],
        simulated.map(({ way, report, crashes, messages }) => [
          way,
          report.found ? count(report.found.after) : 'none',
          crashes.length,
          ...cells(crashes),
          time(worst(crashes, 'lockedMs')),
          messages,
        ]),
      ),
    )
    for (const { way, report } of simulated) {
      if (!report.found) continue
      const { run } = report.found
      print(
        '',
        `The shortest history that breaks ${way}:`,
        '',
        historyText(
          run.history.filter((line) => !isPoll(line)),
          nodes,
        ),
        '',
        `→ ${run.violations[0]?.detail}`,
      )
    }
    const file = await picture('transfer.svg', drawWorst(simulated, down))

    // For real. Each way has its own databases and processes.
    await using stack = new AsyncDisposableStack()
    const postgres = (await findPostgres()) ? stack.use(await startPostgres({ signal })) : undefined
    const hasRedis = process.env.REDIS_URL !== undefined || (await findRedisServer()) !== undefined
    const needsRedis = wanted.some((way) => rolesOf(way).length > 1)
    const redis = postgres && needsRedis && hasRedis ? stack.use(await startRedis({ signal })) : undefined
    const real: ({ way: Way; why: string } | { way: Way; kills: Kill[] })[] = []
    for (const way of wanted) {
      const hasMessages = rolesOf(way).length > 1
      if (!postgres) real.push({ way, why: `needs PostgreSQL: ${installPostgres}` })
      else if (hasMessages && !redis) real.push({ way, why: `needs Redis: ${installRedis}` })
      else {
        const options = { postgres, redis, downMs: down, signal }
        const kills: Kill[] = []
        using bar = progress(`${way} for real`, Object.values(effectsOf[way]).flat().length)
        for (const role of rolesOf(way)) {
          for (const at of (effectsOf[way][role] ?? []).keys()) {
            kills.push(await killAfter(way, role, at + 1, options))
            bar.update(kills.length)
          }
        }
        real.push({ way, kills })
      }
    }
    const killed = real.flatMap((row) => ('kills' in row ? row.kills.map((kill) => ({ way: row.way, kill })) : []))
    if (killed.length > 0) {
      print(
        '',
        `PostgreSQL ${postgres?.version}${redis ? `, Redis ${redis.version}` : ''}: SIGKILL after each effect, and a new start ${count(down)} ms later.`,
        '',
        table(
          ['way', 'killed after', ...columns, 'a writer waited'],
          killed.map(({ way, kill }) => [
            way,
            `${kill.node}: ${effectsOf[way][kill.node]?.[kill.effects - 1]}`,
            ...cells([kill]),
            milliseconds(kill.waitedMs),
          ]),
        ),
      )
    }
    const missing = real.flatMap((row) => ('why' in row ? [`${row.way}: not tried for real: ${row.why}`] : []))
    if (missing.length > 0) print('', ...missing)
    const inDoubt = killed.find(({ kill }) => kill.inDoubt.length > 1)?.kill
    if (inDoubt) {
      print(
        '',
        `In pg_prepared_xacts, while the coordinator was dead after "${effectsOf['2pc'].service?.[inDoubt.effects - 1]}":`,
        '',
        table(
          ['gid', 'database', 'others that wait for it'],
          inDoubt.inDoubt.map(({ gid, database, waiting }) => [gid, database, waiting]),
        ),
      )
    }
    print('', `Picture: ${file}`)
    const broken = simulated.filter(
      ({ way, report, crashes }) => !isNaive(way) && (report.found || crashes.some(({ what }) => what)),
    )
    if (broken.length > 0)
      throw new Error(`--seed ${seed}: money breaks with ${broken.map(({ way }) => way).join(', ')}`)
    const brokenReal = killed.find(({ way, kill }) => !isNaive(way) && kill.what)
    if (brokenReal) {
      const { way, kill } = brokenReal
      throw new Error(`for real, the ${kill.node} killed after effect ${kill.effects}: ${way} ends with ${kill.what}`)
    }
    return {
      seed,
      simulated: simulated.map(({ way, report, crashes, messages }) => ({
        way,
        histories: report.histories,
        found: report.found && {
          after: report.found.after,
          violations: report.found.run.violations,
          scenario: report.found.shortest,
        },
        messages,
        crashes: crashes.map(({ changes: _, ...crash }) => crash),
      })),
      real,
      picture: file,
    }
  },
  figure: ({ simulated, real }) => {
    const kills = real.flatMap((row) => ('kills' in row ? row.kills : []))
    const waited = real.flatMap((row) =>
      'kills' in row && row.way === '2pc' ? row.kills.map(({ waitedMs }) => waitedMs) : [],
    )
    const locked =
      waited.length > 0 ? `; others waited ${milliseconds(Math.max(...waited))} for a dead coordinator` : ''
    const missing = real.filter((row) => 'why' in row).length
    const untried = missing > 0 ? `; ${missing} not tried for real` : ''
    return `${simulated.length} ways, ${kills.length} kills, ${kills.filter(({ what }) => what).length} transfers broken${locked}${untried}`
  },
})

type Trial = Extremes & { what: string | undefined }

const columns = ['lost', 'doubled', 'least', 'most', 'short for']

/** The cells of these columns, over several crashes. */
const cells = (trials: readonly Trial[]) => {
  const shortMs = worst(trials, 'shortMs')
  return [
    trials.filter(({ what }) => what === 'lost').length,
    trials.filter(({ what }) => what === 'doubled').length,
    Math.min(...trials.map(({ least }) => least)),
    worst(trials, 'most'),
    shortMs === Number.POSITIVE_INFINITY ? 'good' : time(shortMs),
  ]
}

const time = (ms: number) => (ms === 0 ? '–' : milliseconds(ms))

const worst = (trials: readonly Trial[], of: 'most' | 'shortMs' | 'lockedMs') =>
  Math.max(...trials.map((trial) => trial[of]))

/** Draws, for each way, the crash after which the sum was wrong for longest, and one after which it was only locked. */
function drawWorst(simulated: readonly { way: Way; crashes: readonly Crash[] }[], downMs: number): string {
  const rows = simulated.flatMap(({ way, crashes }) => {
    const toBen = crashes.filter(({ to }) => to === 'ben')
    const wrongMs = ({ changes }: Crash) => longest(changes, ({ sum }) => sum !== opening)
    const wrong = toBen.toSorted((a, b) => wrongMs(b) - wrongMs(a))[0]
    const locked = toBen.filter((crash) => crash.lockedMs > downMs / 2 && wrongMs(crash) < downMs / 2).at(-1)
    return [locked, wrong].flatMap((crash) => (crash ? [{ way, crash }] : []))
  })
  const endMs = Math.max(...rows.flatMap(({ crash }) => crash.changes.map(({ atMs }) => atMs))) + downMs / 10
  return timeline({
    title: 'What others see of a transfer while its process is away',
    subtitle: `Simulated: a crash for ${downMs} ms at the worst moments. 10 of ${opening} move from A to B.`,
    kinds: {
      'sum too small': { color: palette[1] },
      'sum too large': { color: palette[3] },
      'account locked': { look: 'narrow', color: palette[0] },
      crash: { look: { sign: '✕' }, color: palette[4] },
      'back again': { look: { sign: '↑' }, color: palette[2] },
    },
    rows: rows.map(({ way, crash: { node, effects: after, atMs, changes } }) => {
      const spans = <Name>(kind: Name, holds: (change: Change) => boolean) =>
        spansOf(changes, holds).map(({ from, to }) => ({ kind, from, to: Math.min(to, endMs) }))
      return {
        // Others ask for messages all the time: the number of an effect says little.
        name: `${way}, after ${node === 'service' ? effectsOf[way].service?.[after - 1] : `an effect of the ${node}`}`,
        spans: [
          ...spans('sum too small' as const, ({ sum }) => sum < opening),
          ...spans('sum too large' as const, ({ sum }) => sum > opening),
          ...spans('account locked' as const, ({ locked }) => locked > 0),
        ],
        marks: [
          { kind: 'crash' as const, at: atMs },
          { kind: 'back again' as const, at: atMs + downMs },
        ],
      }
    }),
  })
}

/**
 * gossip: how fast a rumour reaches 3 to 10,000 nodes, and how a group finds out who has failed: SWIM
 *
 *     pnpm --filter 08-road-ahead start gossip
 *     pnpm --filter 08-road-ahead start gossip --loss 0,30 --suspicion 10
 *     pnpm --filter 08-road-ahead start gossip --processes 12
 *
 * Nobody has a list of who knows what. Each node calls another one at random, once in each round. In the second part,
 * members ping each other in the same way, while messages are lost and some members crash. In the third part, the same
 * handlers run as processes that talk over UDP, and one of them is killed.
 *
 * Look for: how many more rounds ten times as many nodes take; how many members were called dead while they were up, with
 * and without suspicion, and what the suspicion costs; and how soon the other processes know of the killed one.
 */
import { until } from '@repo/common/async/until'
import { slopeOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { listOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { startProcesses } from '@repo/simulator/processes'
import type { Report, Settings } from '../src/gossip/member.program.ts'
import { spread, type Way, ways } from '../src/gossip/spread.ts'
import { trial } from '../src/gossip/trial.ts'

/** A number of nodes, and by each way what it took until all of them knew, in the mean. */
interface Row {
  nodes: number
  ways: { way: Way; rounds: number; messages: number; carrying: number }[]
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
/** How many members are asked to ping for another one, how many crash, and in which period processes ping. */
const helpers = 3
const crashes = 5
const periodMs = 300

export default example(import.meta, {
  options: {
    nodes: listOf(wholeNumber(2, 100_000), 'at least two rising numbers from 2 to 100000, such as 10,1000', {
      min: 2,
      ascending: true,
    })
      .default([3, 10, 30, 100, 300, 1_000, 3_000, 10_000])
      .describe('that a rumour has to reach'),
    runs: wholeNumber(1, 1_000).default(5).describe('of each rumour'),
    members: wholeNumber(10, 200).default(30).describe('of the simulated group, of which 5 crash'),
    periods: wholeNumber(100, 1_000)
      .default(400)
      .describe('that it is simulated for; in each, a member pings one other'),
    loss: listOf(wholeNumber(0, 90), 'percentages from 0 to 90, such as 0,10', { distinct: true })
      .default([0, 5, 10, 20])
      .describe('percent of the messages are lost'),
    suspicion: wholeNumber(1, 1_000).default(6).describe('periods that a suspect has to contradict'),
    processes: wholeNumber(3, 30).default(5).describe('of which one is killed'),
    seed: seedNumber().default(1).describe('for everything that is simulated'),
  },
  quick: { nodes: [3, 10, 100, 1_000], runs: 3, periods: 100, processes: 4 },

  async run({ nodes, runs, members, periods, loss, suspicion, processes, seed }, { signal, print, picture }) {
    const turn = async () => {
      await new Promise((resolve) => setTimeout(resolve))
      signal.throwIfAborted()
    }
    // A rumour that one node knows at the beginning.
    const rows: Row[] = []
    {
      using bar = progress('rumours', nodes.length)
      for (const [at, size] of nodes.entries()) {
        const row: Row['ways'] = []
        for (const way of ways) {
          const spreads = []
          for (let run = 0; run < runs; run++) {
            spreads.push(spread({ nodes: size, way, seed: seed + run }))
            await turn()
          }
          const rounds = mean(spreads.map((each) => each.rounds))
          const messages = mean(spreads.map((each) => each.messages / size))
          row.push({ way, rounds, messages, carrying: mean(spreads.map((each) => each.carrying / size)) })
        }
        rows.push({ nodes: size, ways: row })
        bar.update(at + 1)
      }
    }
    // For each factor of ten.
    const slopes = ways.map((way, at) => {
      return { way, slope: slopeOf(rows.map((row) => ({ x: Math.log10(row.nodes), y: row.ways[at]?.rounds ?? 0 }))) }
    })
    print(
      table(
        ['nodes', ...ways.flatMap((way) => [`${way}: rounds`, 'messages a node'])],
        rows.map((row) => [
          count(row.nodes),
          ...row.ways.flatMap(({ rounds, messages }) => [rounds.toFixed(1), messages.toFixed(1)]),
        ]),
      ),
      '',
      `Ten times as many nodes take ${slopes.map(({ way, slope }) => `${slope.toFixed(1)} rounds more by ${way}`).join(', ')}.`,
      '',
    )

    // Who has failed? Without suspicion, whoever does not answer is dead.
    const trials = []
    {
      using bar = progress('trials', loss.length)
      for (const [at, lost] of loss.entries()) {
        for (const wait of [0, suspicion]) {
          const options = { members, crashes, periods, loss: lost / 100, helpers, seed }
          const { crashes: crashed, ...result } = trial({ ...options, suspicion: wait })
          const seen = crashed.filter(({ known }) => Number.isFinite(known))
          const found = mean(seen.map((crash) => crash.found))
          const known = mean(seen.map((crash) => crash.known))
          trials.push({ lost, suspicion: wait, seen: seen.length, found, known, ...result })
          await turn()
        }
        bar.update(at + 1)
      }
    }
    print(
      table(
        ['lost', 'suspicion', 'crashes found', 'after', 'all know after', 'called dead while up', 'messages'],
        trials.map((each) => [
          `${each.lost} %`,
          each.suspicion ? `${each.suspicion} periods` : 'none',
          `${each.seen} of ${crashes}`,
          each.seen ? each.found.toFixed(1) : '–',
          each.seen ? each.known.toFixed(1) : '–',
          each.falseAlarms,
          each.messages.toFixed(1),
        ]),
      ),
      '',
      `${members} members for ${count(periods)} periods; times in periods from the crash, in the mean; messages by a member in a period.`,
      '',
    )

    // The same handlers as processes. One is killed; no one is told.
    const names = Array.from({ length: processes }, (_, at) => `p${at + 1}`)
    const [victim = ''] = names
    const settings = { members: names, periodMs, answerMs: periodMs / 3, helpers, suspicionMs: 4 * periodMs }
    const told: (Report & { by: string; atMs: number })[] = []
    await using group = await startProcesses<Settings, Report>({
      program: new URL('../src/gossip/member.program.ts', import.meta.url),
      names,
      settings,
      onReport: (by, report) => told.push({ by, ...report, atMs: performance.now() }),
      signal,
    })
    const killedMs = performance.now()
    await group.children.get(victim).kill()
    const killed = () => told.filter(({ member, atMs }) => member === victim && atMs >= killedMs)
    const haveHeard = () => new Set(killed().map(({ by }) => by)).size === processes - 1
    await until(haveHeard, { signal, what: `all members know that ${victim} has failed` })
    const reports = killed().map(({ by, atMs, found }) => ({ by, found, afterMs: atMs - killedMs }))
    const [first] = reports
    const last = reports.at(-1)
    const wrong = told.filter(({ member, found }) => found && member !== victim).length
    const file = await picture('gossip.svg', drawRounds(rows))
    print(
      `${processes} processes ping each other over UDP every ${periodMs} ms; ${victim} is killed with SIGKILL.`,
      '',
      table(
        ['process', `knows that ${victim} is dead after`, 'how'],
        reports.map(({ by, afterMs, found }) => [by, milliseconds(afterMs), found ? 'waited for it' : 'was told']),
      ),
      '',
      `The others were called dead ${wrong} ${wrong === 1 ? 'time' : 'times'}.`,
      `Picture: ${file}`,
    )
    return {
      seed,
      rumours: rows,
      slopes,
      trials,
      processes: { killed: victim, reports, firstMs: first?.afterMs ?? 0, lastMs: last?.afterMs ?? 0, wrong },
      picture: file,
    }
  },
  figure: ({ rumours, slopes }) => {
    const last = rumours.at(-1)
    return `push–pull: ${count(last?.nodes ?? 0)} nodes know after ${last?.ways.at(-1)?.rounds.toFixed(1)} rounds, ${slopes.at(-1)?.slope.toFixed(1)} more for ten times as many`
  },
})

function drawRounds(rows: readonly Row[]): string {
  return linePlot({
    title: 'Rounds until everybody knows',
    subtitle: 'In each round, every node calls one other at random',
    x: {
      label: 'nodes',
      type: 'log',
      ticks: rows.map(({ nodes }) => nodes),
      tickFormat: (nodes) => count(Number(nodes)),
    },
    y: {
      label: 'rounds',
      domain: [0, Math.ceil(Math.max(...rows.flatMap((row) => row.ways.map(({ rounds }) => rounds))))],
    },
    series: ways.map((name, at) => ({
      name,
      points: rows.map((row) => ({ x: row.nodes, y: row.ways[at]?.rounds ?? 0 })),
    })),
  })
}

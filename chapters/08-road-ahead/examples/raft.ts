/**
 * raft: a group of servers that agrees on one log, in the simulator; each of ten classic mistakes, and the shortest
 * history that shows it
 *
 *     pnpm --filter 08-road-ahead start raft
 *     pnpm --filter 08-road-ahead start raft --mistake 'counts old terms' --seed 7
 *     pnpm --filter 08-road-ahead start raft --histories 100000 --correct
 *     pnpm --filter 08-road-ahead start raft --processes
 *
 * The servers are handlers that yield effects: send, save, wait. The simulator performs them, and lets messages be lost,
 * late or doubled, servers crash after any effect, be cut off, lose power. Time is virtual, and a seed decides
 * everything.
 *
 * With --processes, the same handlers run in processes of their own, over UDP and with a disk, and the leader is killed.
 *
 * Look for: no alarm without a mistake; each mistake found, by which rule, and after how many histories; and the picture
 * of the history of one. Among processes: how long nobody gets an answer.
 */
import { example } from '@repo/common/example/example'
import { flag, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { outcomeOf, search } from '@repo/simulator/search'
import { drawSequence } from '@repo/simulator/sequence-picture'
import { historyText } from '@repo/simulator/simulator'
import { judge } from '../src/consistency/judge.ts'
import { record } from '../src/consistency/run.ts'
import { raftGroup, raftScenarios } from '../src/raft/group.ts'
import { type Mistake, mistakes } from '../src/raft/mistakes.ts'
import { startGroup } from '../src/systems/raft.ts'

const names = Object.keys(mistakes) as Mistake[]
const servers = ['a', 'b', 'c', 'd', 'e']
const clients = ['p', 'q', 'r']

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 10_000_000)
      .default(20_000)
      .describe('how many are run before a version counts as correct'),
    requests: wholeNumber(1, 50).default(10).describe('the most requests in a history'),
    servers: oneOf('3', '5').default('3').describe('in the group'),
    seed: seedNumber().default(1).describe('for everything that is made up'),
    mistake: oneOf(...names)
      .optional()
      .describe('search for this one only'),
    correct: flag().default(false).describe('run the correct version only'),
    processes: flag().default(false).describe('run it as processes, and kill the leader'),
  },
  quick: { histories: 6_000 },

  async run(options, { signal, quick, print, picture }) {
    const { histories, requests, servers: size, seed, mistake: wanted, correct } = options
    if (correct && wanted) throw new UsageError('--mistake', wanted, 'no --correct beside it')
    if (options.processes) return await killLeader(servers.slice(0, Number(size)), wanted, { signal, seed, print })
    const group = { size: Number(size) as 3 | 5 }
    const versions = wanted ? [wanted] : correct ? [undefined] : [undefined, ...names]
    print(
      `Up to ${count(histories)} histories of ${size} servers and ${clients.length} clients; --seed ${seed} has the same ones again …`,
    )
    const rows = []
    for (const mistake of versions) {
      using bar = progress(mistake ?? 'without a mistake', histories)
      // A scenario is data: requests, and which faults strike which messages and servers. The search runs one after the
      // other until a rule is broken, and then makes that one as short as possible.
      const scenarios = raftScenarios({ ...group, requests })
      const onProgress = (done: number) => bar.update(done)
      const report = await search(
        raftGroup(group.size, mistake),
        {
          seed,
          scenarios,
          histories,
          ...(quick ? { beginnings: 2, variations: 500 } : { beginnings: 4, variations: 4_000 }),
        },
        { signal, onProgress },
      )
      const { history, ...outcome } = outcomeOf(report)
      rows.push({
        mistake,
        ...outcome,
        messages: report.messages / report.histories,
        events: history?.length,
        history,
        scenario: report.found?.shortest,
      })
    }

    print(
      '',
      table(
        ['mistake', 'histories', 'until found', 'rule that it breaks', 'faults', 'events'],
        rows.map(({ mistake, histories, ms, violation, faults, events }) => [
          mistake ?? 'none',
          count(histories),
          milliseconds(ms),
          violation?.rule ?? 'none',
          faults ?? '',
          events ?? '',
        ]),
      ),
    )
    // One of them in full.
    const shown = rows.find(({ mistake, history }) => history && mistake === (wanted ?? 'forgets its vote'))
    const nodes = [...servers.slice(0, Number(size)), ...clients]
    let file: string | undefined
    if (shown?.history) {
      const title = `The shortest history that shows "${shown.mistake}"`
      file = await picture(
        'raft.svg',
        drawSequence(shown.history, {
          columns: nodes,
          title,
          subtitle: shown.violation?.detail ?? '',
        }),
      )
      print('', `${title}:`, '', historyText(shown.history, nodes), '', `→ ${shown.violation?.detail}`)
    }
    const [first] = rows
    if (first?.mistake === undefined && first) {
      print(
        '',
        `${count(Math.round((60_000 * first.histories) / first.ms))} histories of ${first.messages.toFixed(0)} messages a minute on one core.`,
      )
    }
    if (file) print(`Picture: ${file}`)
    const wrong = rows.find(({ mistake, violation }) => mistake === undefined && violation)
    if (wrong) throw new Error(`without a mistake, with --seed ${seed}: ${wrong.violation?.detail}`)
    const missed = rows.filter(({ mistake, violation }) => mistake && !violation).map(({ mistake }) => mistake)
    if (missed.length > 0) throw new Error(`not found in ${howMany(histories, 'history')}: ${missed.join(', ')}`)
    return { seed, versions: rows.map(({ history: _, ...row }) => row), ...(file && { picture: file }) }
  },
  figure: (result) => {
    if ('verdict' in result) return `${result.verdict}; no answer for ${milliseconds(result.silentMs)}`
    const { versions } = result
    const found = versions.filter(({ mistake, violation }) => mistake && violation).length
    return `${found} mistakes found; ${count(versions[0]?.histories ?? 0)} histories without one: no alarm`
  },
})

/** The same servers as processes: clients ask, the leader is killed and comes back, and the history is judged. */
async function killLeader(
  names: readonly string[],
  mistake: Mistake | undefined,
  { signal, seed, print }: { signal: AbortSignal; seed: number; print: (...lines: string[]) => void },
) {
  print(`${names.length} servers and ${clients.length} clients over UDP; the leader is killed …`)
  // #region live
  await using system = await startGroup({ servers: names, mistake }, signal)
  const faults = [{ kind: 'killed', target: 'leader', afterMs: 500, lastsMs: 1_000, untilAnswered: true } as const]
  const given = { clients: clients.length, keys: 2, seed, faults, patienceMs: 30_000, signal }
  const { history, troubles } = await record(system, given)
  const { verdict, answered } = judge(history, 1_000_000)
  // #endregion live
  const [{ name: killed = '', spans: [down] = [] } = {}] = troubles
  const { from = 0, to = 0 } = down ?? {}
  const answers = history.flatMap(({ ended }) => ended?.atMs ?? []).sort((a, b) => a - b)
  const silentMs = Math.max(
    ...answers.map((atMs, at) => (atMs > from && atMs < to ? atMs - (answers[at - 1] ?? 0) : 0)),
  )
  const meanwhile = history.filter(({ beginMs, ended }) => beginMs > from && ended && ended.atMs < to).length
  print(
    '',
    `${killed} was killed with SIGKILL; for ${milliseconds(silentMs)}, nobody got an answer.`,
    `${count(answered)} of ${count(history.length)} requests were answered, ${count(meanwhile)} while ${killed} was down.`,
    `The history is ${verdict}.`,
  )
  return { servers: names.length, killed, silentMs, requests: history.length, answered, meanwhile, verdict }
}

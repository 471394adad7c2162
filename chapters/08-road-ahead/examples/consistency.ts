/**
 * consistency: replicated stores under kill −9, pause, cut links, lost power and wrong clocks, each judged by the history
 * that its clients saw
 *
 *     pnpm --filter 08-road-ahead start consistency
 *     pnpm --filter 08-road-ahead start consistency --systems etcd,nats --seed 7
 *     pnpm --filter 08-road-ahead start consistency --systems redis --save redis.jsonl
 *     pnpm --filter 08-road-ahead start linear redis.jsonl
 *
 * Clients read, write, and compare and set a few registers. Meanwhile nodes are killed with SIGKILL and started again, one
 * or all at once, paused with SIGSTOP, cut off from the other nodes, and given a wrong clock. Clients always reach every
 * node. The seed decides which fault strikes which node, and when, not what the machine makes of it.
 *
 * etcd and NATS take part where they are installed: npm run stores. A system that is missing says what installs it.
 *
 * Look for: acknowledged writes that are lost, the fewest operations that no single copy of the data can explain, and
 * what happened to the nodes at that time, in the picture.
 */
import { access, constants, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { example } from '@repo/common/example/example'
import { listOf, oneOf, path, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { messageOf } from '@repo/common/output/errors'
import { progress } from '@repo/common/output/progress'
import { count, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { faultsOf } from '../src/consistency/faults.ts'
import { judge } from '../src/consistency/judge.ts'
import { type Recorded, record } from '../src/consistency/run.ts'
import { historyText } from '../src/linear/file.ts'
import { type Operation, operationText, partLines } from '../src/linear/history.ts'
import { etcd } from '../src/systems/etcd.ts'
import { nats, natsLeader } from '../src/systems/nats.ts'
import { raft, raftReadsAlone } from '../src/systems/raft.ts'
import { redis, redisWait } from '../src/systems/redis.ts'
import { patienceMs } from '../src/systems/system.ts'

const kinds = {
  raft,
  'raft-reads-alone': raftReadsAlone,
  redis,
  'redis-wait': redisWait,
  etcd,
  nats,
  'nats-leader': natsLeader,
}
type Name = keyof typeof kinds
const names = Object.keys(kinds) as Name[]

export default example(import.meta, {
  options: {
    systems: listOf(oneOf(...names), `a list of ${names.join(', ')}`, { distinct: true })
      .default(names)
      .describe('to judge, one after the other'),
    faults: wholeNumber(0, 1_000).default(9).describe('that strike each of them'),
    seed: seedNumber().default(1).describe('for the faults and for what clients ask'),
    clients: wholeNumber(1, 50).default(5).describe('that ask at the same time'),
    keys: wholeNumber(1, 100).default(3).describe('registers that all clients share'),
    budget: wholeNumber(1, 1_000_000_000).default(1_000_000).describe('steps of the checker for each key'),
    save: path().optional().describe('write the history of one system to this file'),
  },
  quick: { faults: 5, systems: ['raft', 'raft-reads-alone', 'redis'] },

  async run({ systems, faults: wanted, seed, clients, keys, budget, save }, { signal, print, picture }) {
    if (save !== undefined) {
      if (systems.length > 1) throw new UsageError('--save', save, 'a file, with one of --systems')
      // Found before the first minute of faults, and not after the last one.
      await access(dirname(save), constants.W_OK).catch((error: Error) => {
        throw new UsageError('--save', save, `a file that can be written: ${error.message}`)
      })
    }
    const planned = faultsOf(seed, wanted).map(({ kind, target }) => {
      if (kind === 'all killed') return kind
      const victim = target === 'leader' ? 'leader' : `node ${target + 1}`
      return kind === 'clock wrong' ? `clock of ${victim} wrong` : `${victim} ${kind}`
    })
    print(`${wanted} faults: ${planned.join(', ') || 'none'}.`, '')
    // No loop: what esbuild 0.28 makes of `using` would throw the error of an earlier round again.
    const judged = async (name: Name) => {
      const start = kinds[name]
      using bar = progress(name, wanted)
      try {
        // #region judged
        await using system = await start(signal)
        const { version, durability, untried, pace } = system
        const onFault = (done: number) => bar.update(done)
        const faults = faultsOf(seed, wanted, pace)
        const recorded = await record(system, { clients, keys, seed, faults, signal, onFault })
        const judgement = judge(recorded.history, budget)
        // #endregion judged
        return { system: name, version, durability, untried, ...judgement, recorded }
      } catch (error) {
        signal.throwIfAborted()
        return { system: name, why: messageOf(error) }
      }
    }
    const rows = []
    for (const name of systems) rows.push(await judged(name))

    print(
      table(
        ['system', 'version', 'answered', 'no answer', 'own writes', 'lost', 'verdict'],
        rows.map((row) =>
          row.why !== undefined
            ? [row.system, '–', '', '', '', '', row.why]
            : [
                row.system,
                row.version,
                count(row.answered),
                count(row.unanswered),
                count(row.acknowledged),
                count(row.lost),
                row.verdict,
              ],
        ),
      ),
      '',
      ...rows.flatMap((row) =>
        row.why !== undefined ? [] : [`${row.system}: a write counts when ${row.durability}.`],
      ),
      ...rows.flatMap((row) =>
        row.why !== undefined ? [] : row.untried.map((what) => `${row.system}: not tried here: ${what}.`),
      ),
      '',
      '"Own writes" were acknowledged, to keys that are written only once; "lost" are those that the last reads miss.',
    )
    let file: string | undefined
    for (const row of rows) {
      if (row.why !== undefined || row.verdict !== 'not linearizable') continue
      const { system, part, lostPart, recorded } = row
      print('', `${system}: no order explains these operations.`, ...partLines(part))
      if (lostPart.length > 0 && lostPart !== part)
        print('  Nor these: an acknowledged write is lost.', ...partLines(lostPart))
      file ??= await picture('consistency.svg', drawPart(recorded, part, `${system}: what no order explains`))
    }
    if (file) print('', `Picture: ${file}`)
    const [first] = rows
    if (save !== undefined && first?.why === undefined && first) {
      await writeFile(save, historyText(first.recorded.history)).catch((cause) => {
        throw new Error(`${save}: the history cannot be written`, { cause })
      })
      print(`History: ${save}`)
    }
    const own = rows.find((row) => row.system === 'raft' && row.why === undefined && row.verdict === 'not linearizable')
    if (own) throw new Error(`--seed ${seed}: our Raft is not linearizable`)
    return {
      seed,
      faults: faultsOf(seed, wanted),
      systems: rows.map((row) => {
        if (row.why !== undefined) return row
        const {
          recorded: { troubles },
          ...rest
        } = row
        return { ...rest, troubles }
      }),
      ...(file && { picture: file }),
    }
  },
  figure: ({ systems }) => {
    const judged = systems.flatMap((row) => (row.why === undefined ? row : []))
    const wrong = judged.filter(({ verdict }) => verdict === 'not linearizable').map(({ system }) => system)
    return `${judged.length} systems judged; not linearizable: ${wrong.join(', ') || 'none'}`
  },
})

const looks = {
  killed: { look: 'pale', color: '#e03131' },
  paused: { look: 'pale', color: '#ae3ec9' },
  'cut off': { look: 'pale', color: '#868e96' },
  'all killed': { look: 'pale', color: '#c2255c' },
  'clock wrong': { look: 'pale', color: '#f59f00' },
  'other requests for the key': { look: 'density', color: '#0ca678' },
  'with an answer': { color: '#3b82f6' },
  'without an answer': { color: '#e8590c', look: 'pale' },
} as const

/** Returns SVG text: a row for each node, and one for each operation of the part. */
function drawPart({ history, troubles }: Recorded, part: readonly Operation[], title: string): string {
  const endOf = ({ beginMs, ended }: Operation) => ended?.atMs ?? beginMs + patienceMs
  const from = Math.max(0, Math.min(...part.map(({ beginMs }) => beginMs)) - 200)
  const to = Math.max(...part.map(endOf)) + 200
  const inside = (ms: number) => Math.min(to, Math.max(from, ms)) - from
  const key = part[0]?.key
  const others = history.filter(
    (each) => each.key === key && !part.includes(each) && each.beginMs > from && each.beginMs < to,
  )
  return timeline<keyof typeof looks>({
    title,
    subtitle: `Key ${key}; 0 is ${(from / 1_000).toFixed(1)} s after the beginning`,
    kinds: looks,
    rows: [
      ...troubles.map(({ name, spans }) => ({
        name: `node ${name}`,
        spans: spans
          .filter((span) => span.to > from && span.from < to)
          .map((span) => ({ kind: span.kind, from: inside(span.from), to: inside(span.to) })),
      })),
      {
        name: 'all others',
        marks: others.map(({ beginMs }) => ({ kind: 'other requests for the key', at: beginMs - from })),
      },
      ...part.map((operation) => ({
        name: operation.client,
        spans: [
          {
            kind: operation.ended ? ('with an answer' as const) : ('without an answer' as const),
            from: operation.beginMs - from,
            to: inside(endOf(operation)),
          },
        ],
        note: operationText(operation),
      })),
    ],
  })
}

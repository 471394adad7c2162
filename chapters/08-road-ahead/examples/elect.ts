/**
 * elect: a leader by lease; for how long there is none, and for how long two, when it is killed, paused, or its clock is off
 *
 *     pnpm --filter 08-road-ahead start elect
 *     pnpm --filter 08-road-ahead start elect --stores redis --leases 500,1000,8000 --pause 5000
 *     pnpm --filter 08-road-ahead start elect --stores redis --renewals 3,30
 *
 * Three candidates ask a store for the same lease again and again. Whoever has it leads, for as long as its own clock says
 * that the lease runs. In the simulator, where clocks drift, a search looks for two leaders at the same time. Then the
 * candidates are processes on Redis and on etcd, and something befalls the one that leads.
 *
 * A machine's clock cannot be set wrong for one process. A candidate whose clock is off counts the machine's time at half
 * speed, and sleeps for twice as long.
 *
 * etcd takes part where it is installed: npm run stores. A store that is missing says what installs it.
 *
 * Look for: what a shorter lease makes better and what it makes worse; and when there are two leaders that are both awake.
 */
import { example } from '@repo/common/example/example'
import { listOf, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { largest } from '@repo/common/extremes'
import { median } from '@repo/common/measure'
import { messageOf } from '@repo/common/output/errors'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import { outcomeOf, search } from '@repo/simulator/search'
import { historyText } from '@repo/simulator/simulator'
import { type Election, type Fault, type Outcome, runFaults } from '../src/lease/elections.ts'
import { electScenarios, leaseGroup, nodes } from '../src/lease/group.ts'
import { lasted } from '../src/lease/leaders.ts'
import type { StoreName } from '../src/lease/lease.ts'
import { candidateMistakes as mistakes } from '../src/lease/mistakes.ts'
import { stores as kinds, storeNames } from '../src/lease/stores.ts'

const names = Object.keys(mistakes) as (keyof typeof mistakes)[]
/** What befalls the leader. Its clock may run at half the pace, and it may allow for that. */
const faults: readonly Fault[] = [
  { name: 'killed', strike: 'killed', pace: 1, drift: 0.05 },
  { name: 'paused', strike: 'paused', pace: 1, drift: 0.05 },
  { name: 'slow clock', strike: 'nothing', pace: 0.5, drift: 0.05 },
  { name: 'cut off', strike: 'cut off', pace: 1, drift: 0.05 },
  { name: 'cut off, slow', strike: 'cut off', pace: 0.5, drift: 0.05 },
  { name: 'slow, allowed for', strike: 'cut off', pace: 0.5, drift: 0.5 },
]
/** Candidates look at their clocks every 5 ms, so less than this is not shown. */
const leastMs = 20

export default example(import.meta, {
  options: {
    histories: wholeNumber(1, 10_000_000)
      .default(20_000)
      .describe('how many are run before the rule counts as correct'),
    seed: seedNumber().default(1).describe('for what is simulated'),
    stores: listOf(oneOf(...storeNames), `a list of ${storeNames.join(', ')}`, { distinct: true })
      .default(storeNames)
      .describe('on which processes stand for election'),
    leases: listOf(wholeNumber(100, 60_000), 'rising numbers of ms from 100 to 60000, such as 1000,2000', {
      ascending: true,
    })
      .default([1_000, 2_000, 4_000])
      .describe('how long a lease lasts; on etcd, whole seconds'),
    renewals: listOf(wholeNumber(3, 100), 'rising numbers from 3 to 100, such as 3,10', { ascending: true })
      .default([3, 10])
      .describe('how often in a lease candidates ask for it'),
    pause: wholeNumber(1, 60_000).default(2_500).describe('how long the leader is paused, in ms'),
    elections: wholeNumber(1, 20).default(5).describe('of each kind, all at the same time, for the median'),
  },
  quick: { histories: 2_000, stores: ['redis'], leases: [200, 400, 800], renewals: [3], pause: 530 },

  async run(options, { signal, print, picture }) {
    const { histories, seed, stores, leases, renewals, pause, elections: copies } = options
    if (stores.includes('etcd') && leases.some((leaseMs) => leaseMs % 1_000 > 0))
      throw new UsageError('--leases', leases.join(), 'multiples of 1000, with etcd in --stores')
    print(`Up to ${count(histories)} histories each; --seed ${seed} has the same ones again …`)
    const versions = []
    for (const mistake of [undefined, ...names]) {
      using bar = progress(mistake ?? 'none', histories)
      const report = await search(
        leaseGroup('stand', mistake),
        { seed, scenarios: electScenarios, histories, beginnings: 10, variations: 2_000 },
        { signal, onProgress: (done) => bar.update(done) },
      )
      const { violation, ...outcome } = outcomeOf(report)
      versions.push({ mistake, violation: violation?.detail, ...outcome })
    }
    print(
      '',
      table(
        ['mistake', 'histories', 'until found', 'what it breaks', 'faults', 'events'],
        versions.map(({ mistake, histories, ms, violation, faults, history }) => [
          mistake ?? 'none',
          count(histories),
          milliseconds(ms),
          violation ?? 'nothing',
          faults ?? '',
          history?.length ?? '',
        ]),
      ),
    )
    const shown = versions.at(-1)
    if (shown?.history) {
      print('', `The shortest history of "${shown.mistake}":`, '', historyText(shown.history, nodes))
      print('', `→ ${shown.violation}`)
    }

    // Elections of all kinds at the same time: the same three processes stand in each.
    const elections = leases.flatMap((leaseMs) =>
      renewals.flatMap((renewal) =>
        Array.from({ length: copies }, (): Election => ({ leaseMs, everyMs: leaseMs / renewal })),
      ),
    )
    let drawn: { store: string; seen: Seen[] } | undefined
    // No loop: what esbuild 0.28 makes of `using` would throw the error of an earlier round again.
    const stood = async (store: StoreName) => {
      using bar = progress(store, faults.length)
      try {
        await using running = await kinds[store].start(signal)
        const { version, place } = running
        const onFault = (name: string, at: number) => bar.update(at, `${store}: ${name}`)
        const outcomes = await runFaults(place, faults, { elections, pauseMs: pause, signal, onFault })
        const seen = faults.map((fault, at): Seen => ({ fault, outcomes: outcomes[at] ?? [] }))
        drawn ??= { store, seen }
        return { store, version, rows: rowsOf(seen) }
      } catch (error) {
        signal.throwIfAborted()
        return { store, why: messageOf(error) }
      }
    }
    const runs = []
    for (const store of stores) runs.push(await stood(store))
    print(
      '',
      table(
        ['store', 'version', 'lease', 'asked every', ...faults.map(({ name }) => name)],
        runs.flatMap((run) =>
          run.why !== undefined
            ? [[run.store, '–', run.why, '', ...faults.map(() => '')]]
            : run.rows.map(({ leaseMs, everyMs, faults }) => [
                run.store,
                run.version,
                milliseconds(leaseMs),
                milliseconds(everyMs),
                ...faults.map(troubleText),
              ]),
        ),
      ),
      '',
      `Median of ${copies}: how long nobody led, or two did. The pause lasts ${milliseconds(pause)}.`,
    )
    const rows = runs.flatMap((run) => run.rows ?? [])
    const awake = rows.flatMap(({ faults }) => faults.flatMap((each) => (each.strike === 'paused' ? each.awakeMs : [])))
    if (awake.length > 0)
      print(`After the pause, while both were awake, two led for ${milliseconds(largest(awake))} at most.`)
    const file = drawn && (await picture('elect.svg', drawFirst(drawn.store, drawn.seen)))
    if (file) print(`Picture: ${file}`)
    const wrong = versions.find(({ mistake, violation }) => mistake === undefined && violation)
    if (wrong) throw new Error(`without a mistake, with --seed ${seed}: ${wrong.violation}`)
    return {
      seed,
      pauseMs: pause,
      versions: versions.map(({ history, ...version }) => ({ ...version, events: history?.length ?? 0 })),
      stores: runs,
      ...(file && { picture: file }),
    }
  },
  figure: ({ stores }) => {
    const [first] = stores.flatMap((run) => run.rows ?? [])
    const killed = first?.faults.find(({ strike }) => strike === 'killed')
    if (!first || !killed) return 'no store'
    return `with a lease of ${milliseconds(first.leaseMs)}, nobody leads for ${milliseconds(killed.nobodyMs)} after a kill`
  },
})

/** What was seen of all elections at one fault. */
interface Seen {
  fault: Fault
  outcomes: Outcome[]
}

/** Returns a row for each kind of election, with the median for each fault. */
function rowsOf(seen: readonly Seen[]) {
  const kinds = new Map(seen[0]?.outcomes.map(({ election }) => [`${election.leaseMs} ${election.everyMs}`, election]))
  return [...kinds.values()].map(({ leaseMs, everyMs }) => ({
    leaseMs,
    everyMs,
    faults: seen.map(({ fault: { name, strike }, outcomes }) => {
      const own = outcomes.filter(({ election }) => election.leaseMs === leaseMs && election.everyMs === everyMs)
      const medianOf = (measure: (outcome: Outcome) => number) => median(own.map(measure))
      return {
        name,
        strike,
        nobodyMs: medianOf(({ troubles }) => lasted(troubles, 'nobody leads')),
        twoMs: medianOf(({ troubles }) => lasted(troubles, 'two lead')),
        /** Of `twoMs`, when no process was paused. */
        awakeMs: medianOf(({ troubles, awakeMs }) => lasted(troubles, 'two lead', awakeMs)),
      }
    }),
  }))
}

function troubleText({ nobodyMs, twoMs }: { nobodyMs: number; twoMs: number }): string {
  const parts = [
    nobodyMs < leastMs ? '' : `none ${milliseconds(nobodyMs)}`,
    twoMs < leastMs ? '' : `two ${milliseconds(twoMs)}`,
  ]
  return parts.filter(Boolean).join(', ') || '–'
}

const looks = {
  leads: { color: '#3b82f6' },
  'nobody leads': { color: '#868e96' },
  'two lead': { color: '#e03131' },
  'something befalls a': { color: '#111827' },
} as const
/** What is drawn before a fault strikes. */
const beforeMs = 200

/** Returns SVG text: for each fault, who led the first of the elections, and when it was none or two. */
function drawFirst(store: string, seen: readonly Seen[]): string {
  const [{ election } = { election: undefined }] = seen[0]?.outcomes ?? []
  const lastMs = 1.2 * largest(seen.flatMap(({ outcomes: [first] }) => first?.troubles.map(({ toMs }) => toMs) ?? []))
  const spanOf = <Kind>(kind: Kind, { fromMs, toMs }: { fromMs: number; toMs: number }) => {
    return { kind, from: Math.max(0, fromMs + beforeMs), to: Math.min(toMs, lastMs) + beforeMs }
  }
  return timeline<keyof typeof looks>({
    title: `Who leads, with a lease of ${milliseconds(election?.leaseMs ?? 0)} on ${store}`,
    subtitle: 'What each process believed, by the machine’s clock',
    kinds: looks,
    rows: seen.flatMap(({ fault, outcomes: [outcome] }) => [
      {
        name: fault.name,
        spans: outcome?.troubles.map((trouble) => spanOf(trouble.kind, trouble)) ?? [],
        marks: [{ kind: 'something befalls a' as const, at: beforeMs }],
      },
      ...['a', 'b', 'c'].map((name) => ({
        name,
        spans:
          outcome?.terms
            .filter((term) => term.name === name && term.fromMs < lastMs)
            .map((term) => spanOf('leads' as const, term)) ?? [],
      })),
    ]),
  })
}

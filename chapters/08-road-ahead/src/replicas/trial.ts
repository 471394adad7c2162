/** Trials of a setting in the simulator, which count what its clients saw. The same options give the same result. */
import { drawFrom } from '@repo/common/async/random'
import { type Scenario, simulate } from '@repo/simulator/simulator'
import { clients, type Done, quorumSystem, type Request, requestEveryMs } from './group.ts'
import { isNewer, patienceMs, type Setting } from './quorum.ts'

export interface TrialOptions {
  /** Half of them read and half of them write one of 5 keys, every 10 ms. */
  operations: number
  /** The share of messages that are lost. As many come up to 100 ms late. */
  loss: number
  /** By how much the clock of the first client is slow. */
  behindMs: number
  seed: number
}

export interface Trial {
  /** The number of answered reads, and of those that missed a write which had been acknowledged before they began. */
  reads: number
  stale: number
  /** The number of reads with an older version than a read that had ended before they began. */
  backwards: number
  /** The number of acknowledged writes, and of those with an older version than a write that had ended before they began. */
  writes: number
  lost: number
  /** In the mean, while no copy is away. */
  readMs: number
  writeMs: number
  /** The share of operations that are answered while one copy is away, and while two are. */
  oneAway: number
  twoAway: number
}

/** In each period, one copy is cut off for a while, and later two are. */
const periodMs = 4_000
const absences = [
  { copies: 1, fromMs: 800, toMs: 1_600 },
  { copies: 2, fromMs: 2_400, toMs: 3_200 },
]

/** How many copies are away while an operation that begins now is waited for; undefined if that changes. */
function awayAt(ms: number): number | undefined {
  const inPeriodMs = ms % periodMs
  const absence = absences.find(({ fromMs, toMs }) => inPeriodMs >= fromMs && inPeriodMs < toMs)
  if (absence === undefined) return 0
  return inPeriodMs + patienceMs <= absence.toMs ? absence.copies : undefined
}

export function trial(setting: Setting, { operations, loss, behindMs, seed }: TrialOptions): Trial {
  const { length: n } = setting.copies
  const draw = drawFrom(seed)
  const requests = Array.from({ length: operations }, (): Request => {
    return { client: draw.whole(0, 3), key: `k${draw.whole(1, 5)}`, does: draw.oneOf(['read', 'write']) }
  })
  const messages: Scenario<Request>['messages'] = []
  for (let number = 1; number < operations * n * 12; number++) {
    const kind = draw.share()
    if (kind < loss) messages.push({ number, fate: 'lost', ms: 1 })
    else if (kind < 2 * loss) messages.push({ number, fate: 'late', ms: draw.whole(1, 100) })
  }
  const mostMs = operations * requestEveryMs
  const nodes: Scenario<Request>['nodes'] = [{ node: n, fate: 'clock', atMs: 0, ms: -behindMs }]
  for (let beginMs = 0; beginMs < mostMs; beginMs += periodMs) {
    for (const { copies, fromMs, toMs } of absences) {
      for (let node = n - copies; node < n; node++)
        nodes.push({ node, fate: 'partition', atMs: beginMs + fromMs, ms: toMs - fromMs })
    }
  }
  const system = quorumSystem(setting, { mostMs: mostMs + 1_000, check: ({ history }) => [measure(history)] })
  return simulate(system, { requests, jitter: seed + 1, messages, nodes }).violations[0]
}

function measure(history: readonly Done[]): Trial {
  const answered = history.flatMap(({ ended, ...asked }) => (ended ? [{ ...asked, ended }] : []))
  const [reads, writes] = ['read', 'write'].map((kind) => answered.filter(({ does }) => kind in does))
  const [readsOf, writesOf] = [reads, writes].map((list) => Map.groupBy(list, ({ key }) => key))
  /** By time and not by version: whether a whole write lies between the end of the one that was read and this beginning. */
  const isStale = ({ key, beginMs, entry }: Done) => {
    const own = writesOf.get(key) ?? []
    const source = own.find((write) => write.entry?.value === entry?.value)
    const afterMs = entry === null ? -1 : (source?.ended.atMs ?? Number.POSITIVE_INFINITY)
    return own.some((write) => write.beginMs > afterMs && write.ended.atMs < beginMs)
  }
  const isOlderThan = (others: typeof readsOf) => (one: Done) =>
    others
      .get(one.key)
      ?.some(({ entry, ended }) => ended.atMs < one.beginMs && entry && isNewer(entry, one.entry ?? undefined))
  const meanMs = (list: typeof answered) => {
    const times = list.filter(({ beginMs }) => awayAt(beginMs) === 0).map(({ beginMs, ended }) => ended.atMs - beginMs)
    return times.reduce((sum, ms) => sum + ms, 0) / times.length
  }
  const shareWhile = (away: number) => {
    const begun = ({ beginMs }: Done) => awayAt(beginMs) === away
    return answered.filter(begun).length / history.filter(begun).length
  }
  return {
    reads: reads.length,
    stale: reads.filter(isStale).length,
    backwards: reads.filter(isOlderThan(readsOf)).length,
    writes: writes.length,
    lost: writes.filter(isOlderThan(writesOf)).length,
    readMs: meanMs(reads),
    writeMs: meanMs(writes),
    oneAway: shareWhile(1),
    twoAway: shareWhile(2),
  }
}

export interface ReturnOptions {
  /** The number of keys, all of which are written anew while the last copy is away. */
  keys: number
  /** The number of reads since its return, each of any key. */
  reads: number
  /** What the keeper of the hints does when the copy is back. */
  keeperDoes: 'stay' | 'restart' | 'die'
  seed: number
}

/** Returns how many keys are out of date on a copy that was away. */
export function staleAfterReturn(setting: Setting, { keys, reads, keeperDoes, seed }: ReturnOptions): number {
  const { copies } = setting
  const draw = drawFrom(seed)
  // The last writes end before the copy is back.
  const before = 2 * keys + 30
  const requests = Array.from({ length: before + reads }, (_, at): Request => {
    const key = `k${at < 2 * keys ? at % keys : draw.whole(0, keys - 1)}`
    return { client: at, key, does: at < 2 * keys ? 'write' : 'read' }
  })
  const [awayMs, backMs] = [keys * requestEveryMs, before * requestEveryMs]
  const nodes: Scenario<Request>['nodes'] = [
    { node: copies.length - 1, fate: 'partition', atMs: awayMs, ms: backMs - awayMs },
  ]
  const lastsMs = { stay: 0, restart: 500, die: Number.POSITIVE_INFINITY }[keeperDoes]
  if (lastsMs > 0) nodes.push({ node: copies.length + clients.length, fate: 'crash', atMs: backMs, ms: lastsMs })
  const system = quorumSystem(setting, {
    mostMs: requests.length * requestEveryMs,
    check({ history, copies: all }) {
      const last = all.get(copies[copies.length - 1])
      const newest = new Map(
        history.flatMap(({ key, entry, does }) => ('write' in does && entry ? [[key, entry]] : [])),
      )
      return [[...newest].filter(([key, entry]) => isNewer(entry, last?.get(key))).length]
    },
  })
  return simulate(system, { requests, jitter: seed + 1, messages: [], nodes }).violations[0]
}

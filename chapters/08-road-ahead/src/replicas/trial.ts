/** Trials of a setting in the simulator, which count what its clients saw. The same options give the same result. */
import { drawFrom } from '@repo/common/async/random'
import { type Scenario, type Strike, simulate } from '@repo/simulator/simulator'
import { clients, type Done, nothingSeen, quorumSystem, type Request, requestEveryMs, type Seen } from './group.ts'
import { type Entry, isNewer, patienceMs, type Setting } from './quorum.ts'

export interface TrialOptions {
  /** Half of them read and half of them write one of 5 keys, every 10 ms. */
  operations: number
  /** The share of messages that are lost. As many come up to 100 ms late. */
  loss: number
  /** By how much the clock of the first client is slow. */
  behindMs: number
  seed: number
}

/** How many copies are cut off, in periods that follow each other again and again. */
const away = [0, 1, 0, 2, 0]
const periodMs = 800
const awayAt = (ms: number) => away[Math.floor(ms / periodMs) % away.length]

export function trial(setting: Setting, { operations, loss, behindMs, seed }: TrialOptions): Trial {
  const n = setting.copies.length
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
  const nodes: Strike[] = [{ node: n, fate: 'clock', atMs: 0, ms: -behindMs }]
  for (let atMs = 0; atMs < mostMs; atMs += periodMs)
    for (let node = n - awayAt(atMs); node < n; node++) nodes.push({ node, fate: 'partition', atMs, ms: periodMs })
  return measure(run(setting, mostMs + 1_000, { requests, jitter: seed + 1, messages, nodes }).history)
}

export type Trial = ReturnType<typeof measure>
type Answered = Required<Done>

function measure(history: readonly Done[]) {
  const answered = history.filter((one): one is Answered => one.ended !== undefined)
  const [reads, writes] = ['read', 'write'].map((kind) => answered.filter(({ does }) => kind in does))
  /** Counts those that miss something which had ended before they began. */
  const count = (list: Answered[], others: Answered[], misses: (one: Answered, other: Answered) => boolean) => {
    const ofKey = Map.groupBy(others, ({ key }) => key)
    const isWrong = (one: Answered) =>
      ofKey.get(one.key)?.some((other) => other.ended.atMs < one.beginMs && misses(one, other))
    return list.filter(isWrong).length
  }
  const isOlder = (one: Answered, { entry }: Answered) => entry !== null && isNewer(entry, one.entry ?? undefined)
  /** By time and not by version: the write that was read had ended before this one began. */
  const isStale = ({ entry }: Answered, { beginMs }: Answered) =>
    entry === null || (history[Number(entry.value) - 1].ended?.atMs ?? Number.POSITIVE_INFINITY) < beginMs
  const meanMs = (list: Answered[]) => {
    const undisturbed = list.filter(({ beginMs }) => awayAt(beginMs) === 0)
    return undisturbed.reduce((sum, { beginMs, ended }) => sum + ended.atMs - beginMs, 0) / undisturbed.length
  }
  const shareWhile = (copies: number) => {
    const isWhole = ({ beginMs }: Done) => awayAt(beginMs) === copies && awayAt(beginMs + patienceMs) === copies
    return answered.filter(isWhole).length / history.filter(isWhole).length
  }
  return {
    // Answered reads. A stale one missed a write that had been acknowledged before it began.
    reads: reads.length,
    stale: count(reads, writes, isStale),
    /** Reads with an older version than a read that had ended before they began. */
    backwards: count(reads, reads, isOlder),
    /** Acknowledged writes, and those of them with an older version than a write that had ended before they began. */
    writes: writes.length,
    lost: count(writes, writes, isOlder),
    /** In the mean, while no copy is away. */
    readMs: meanMs(reads),
    writeMs: meanMs(writes),
    /** The share of operations that are answered while one copy is away, and while two are. */
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
  const nodes: Strike[] = [{ node: copies.length - 1, fate: 'partition', atMs: awayMs, ms: backMs - awayMs }]
  const lastsMs = { stay: 0, restart: 500, die: Number.POSITIVE_INFINITY }[keeperDoes]
  if (lastsMs > 0) nodes.push({ node: copies.length + clients.length, fate: 'crash', atMs: backMs, ms: lastsMs })
  const mostMs = requests.length * requestEveryMs
  const seen = run(setting, mostMs, { requests, jitter: seed + 1, messages: [], nodes })
  const newest = new Map<string, Entry>()
  for (const { key, entry, does } of seen.history) if ('write' in does && entry) newest.set(key, entry)
  const last = seen.copies.get(copies[copies.length - 1])
  return [...newest].filter(([key, entry]) => isNewer(entry, last?.get(key))).length
}

/** Returns what is to be seen when a scenario has ended. */
function run(setting: Setting, mostMs: number, scenario: Scenario<Request>): Seen {
  const seen = nothingSeen()
  simulate(quorumSystem(setting, mostMs, seen), scenario)
  return seen
}

/** Looks for a scenario that breaks the system, and makes it as short as possible: fast-check generates and shrinks. */
import { randomFrom } from '@repo/common/async/random'
import fc from 'fast-check'
import { type Run, type Scenario, type Strike, type System, simulate, timedFates } from './simulator.ts'

export interface Range<Request> {
  /** What clients ask for. */
  requests: fc.Arbitrary<Request[]>
  /** The number of nodes, from the first, that faults may strike. Nodes that represent clients come after these. */
  nodes: number
  /** The number of messages, from the first, that may be lost, duplicated or late. */
  messages: number
  /** Node faults begin within this time. */
  withinMs: number
  /** How long a fifth of the node faults may last; like the others, 300 ms by default. */
  longestMs?: number
  /** The node faults, if some kinds are to be more frequent than others. */
  strikes?: fc.Arbitrary<Strike>
  /** The faults that follow marks; none by default. */
  marks?: fc.Arbitrary<NonNullable<Scenario<Request>['marks']>>
}

/**
 * Scenarios with up to six message faults and three node faults. They shrink to fewer requests, fewer faults, no jitter
 * and equal paces.
 */
export function scenarios<Request>(range: Range<Request>): fc.Arbitrary<Scenario<Request>> {
  const node = fc.nat(range.nodes - 1)
  const atMs = fc.nat(range.withinMs)
  const short = fc.integer({ min: 1, max: 300 })
  const lasts =
    range.longestMs === undefined
      ? short
      : fc.oneof(
          { weight: 4, arbitrary: short },
          { weight: 1, arbitrary: fc.integer({ min: 301, max: range.longestMs }) },
        )
  const wrong = fc.integer({ min: -1_000, max: 1_000 })
  const effects = fc.integer({ min: 1, max: 30 })
  const strike = fc.oneof(
    fc.record({ node, fate: fc.constantFrom(...timedFates), atMs, ms: lasts }),
    fc.record({ node, fate: fc.constant('crash after'), effects, ms: lasts }),
    fc.record({ node, fate: fc.constantFrom('clock', 'drift'), atMs, ms: wrong }),
  )
  return fc.record({
    requests: range.requests,
    jitter: fc.nat(),
    paces: fc.oneof(fc.constant(0), fc.nat()),
    messages: fc.array(
      fc.record({
        number: fc.integer({ min: 1, max: range.messages }),
        fate: fc.constantFrom('lost', 'late', 'doubled'),
        ms: fc.integer({ min: 1, max: 200 }),
      }),
      { maxLength: 6 },
    ),
    nodes: fc.array(range.strikes ?? strike, { maxLength: 3 }),
    ...(range.marks && { marks: range.marks }),
  })
}

/**
 * Returns the number of faults in a scenario. Some may have no effect: the message is never sent, or the node has
 * nothing to do.
 */
export const faults = ({ messages, nodes, marks = [] }: Scenario<unknown>): number =>
  messages.length + nodes.length + marks.length

export interface SearchSettings<Request> {
  seed: number
  scenarios: fc.Arbitrary<Scenario<Request>>
  /** The number of scenarios to run if none breaks anything. */
  histories: number
  /** How many scenarios that break something are shortened; 10 by default. More may lead to a shorter one. */
  beginnings?: number
  /**
   * How many variations of the shortened scenarios are tried, for a history with fewer messages; none by default. Shrinking
   * changes one thing at a time and stops where that makes a scenario longer. With variations, the shortest scenario is
   * the one with the fewest messages and faults, whatever its requests are.
   */
  variations?: number
}

export interface SearchOptions {
  signal?: AbortSignal
  /** Called with the number of scenarios that have been run. */
  onProgress?: (histories: number) => void
}

export interface Found<Request, Violation> {
  /** The number of scenarios run until one broke something. */
  after: number
  /** That scenario, and the shortest of all that were derived from it and from the next ones that broke something. */
  scenario: Scenario<Request>
  shortest: Scenario<Request>
  /** The run of the shortest scenario, with its history. */
  run: Run<Violation>
  /** The number of further runs that shrinking took. */
  shrinkRuns: number
}

export interface SearchReport<Request, Violation> {
  /** The number of scenarios that were run until one broke something, or of all if none did. */
  histories: number
  /** The number of messages that were sent in them. */
  messages: number
  /** The time that they took. */
  ms: number
  found: Found<Request, Violation> | undefined
  shrinkMs: number
}

/**
 * Returns what there is to tell of a search: how long it took and, if something broke, the first violation in the
 * shortest scenario, with the number of that scenario's faults and its history.
 */
export function outcomeOf<Violation>({ histories, ms, found }: SearchReport<unknown, Violation>) {
  return {
    histories,
    ms,
    violation: found?.run.violations[0],
    faults: found && faults(found.shortest),
    history: found?.run.history,
  }
}

/** A scenario that breaks something, and the number of its messages. */
interface Shortened<Request> {
  scenario: Scenario<Request>
  messages: number
}

/** The number of scenarios to run between two turns of the event loop, which progress and Ctrl-C need. */
const batch = 500

/**
 * Runs scenarios until ten have broken something, or enough have been run. Each of the ten is shortened: fast-check
 * stops when no single step makes a scenario shorter, and from another start it may find a shorter one. The result is
 * the one with the fewest requests and faults, and among equals the one with the fewest messages; with variations, see
 * there. The same settings give the same result.
 *
 * @throws what the system throws
 */
export async function search<Node extends string, Request, Message, Violation>(
  system: System<Node, Request, Message, Violation>,
  { seed, scenarios, histories, beginnings = 10, variations = 0 }: SearchSettings<Request>,
  { signal, onProgress }: SearchOptions = {},
): Promise<SearchReport<Request, Violation>> {
  /** Negative if the first one is shorter. */
  const compare = (a: Shortened<Request>, b: Shortened<Request>) =>
    variations > 0
      ? a.messages + faults(a.scenario) - b.messages - faults(b.scenario)
      : a.scenario.requests.length + faults(a.scenario) - b.scenario.requests.length - faults(b.scenario) ||
        a.messages - b.messages
  const seeds = randomFrom(seed)
  const report = { histories: 0, messages: 0, ms: 0, shrinkMs: 0 }
  let first: { after: number; scenario: Scenario<Request> } | undefined
  /** The shortest scenario of each beginning. */
  const shortened: Shortened<Request>[] = []
  let shrinkRuns = 0
  for (let done = 0; done < histories && shortened.length < beginnings; ) {
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    const begin = performance.now()
    let runs = 0
    let failedAt = 0
    let shortest: Shortened<Request> | undefined
    const property = fc.property(scenarios, (scenario) => {
      const { violations, messages } = simulate(system, scenario)
      runs++
      if (!first) {
        report.histories++
        report.messages += messages
      }
      if (violations.length === 0) return true
      failedAt ||= runs
      if (!first) {
        report.ms += performance.now() - begin
        first = { after: report.histories, scenario }
      }
      // Among equals, take the later one: fast-check has removed something from it.
      const other = { scenario, messages }
      if (!shortest || compare(other, shortest) <= 0) shortest = other
      return false
    })
    const settings = { seed: Math.floor(seeds() * 2 ** 31), numRuns: Math.min(batch, histories - done) }
    const { failed, errorInstance } = fc.check(property, settings)
    // No check failed: the system itself threw an error.
    if (failed && failedAt === 0) throw errorInstance
    done += failedAt || runs
    onProgress?.(done)
    if (shortest) {
      shortened.push(shortest)
      shrinkRuns += runs - failedAt
      report.shrinkMs += performance.now() - begin
    } else if (!first) report.ms += performance.now() - begin
  }
  if (!first) return { ...report, found: undefined }
  const begin = performance.now()

  /** Returns the shortest that a number of variations lead to, by simulated annealing. */
  function anneal(from: Shortened<Request>, tries: number): Shortened<Request> {
    let current = from
    let best = from
    for (let done = 0; done < tries; done++) {
      const scenario = vary(current, seeds)
      const { violations, messages } = simulate(system, scenario)
      if (violations.length === 0) continue
      // At first, one that is a little longer is taken as well: it may lead to one that is shorter.
      const heat = hottest * (1 - done / tries)
      if (seeds() < Math.exp(-compare({ scenario, messages }, current) / heat)) current = { scenario, messages }
      if (compare(current, best) <= 0) best = current
    }
    shrinkRuns += tries
    return best
  }

  // Which beginning leads to the shortest history shows only on the way: again and again, the worse half is given up.
  const rounds = variations === 0 ? 0 : 1 + Math.floor(Math.log2(shortened.length))
  for (let round = 0; round < rounds; round++) {
    if (round > 0) shortened.sort(compare).length = Math.ceil(shortened.length / 2)
    for (const [at, each] of shortened.entries()) {
      await new Promise((resolve) => setTimeout(resolve))
      signal?.throwIfAborted()
      shortened[at] = anneal(each, Math.floor(variations / rounds / shortened.length))
    }
  }
  const shortest = shortened.reduce((best, each) => (compare(each, best) <= 0 ? each : best)).scenario
  report.shrinkMs += performance.now() - begin
  const run = simulate(system, shortest, { record: true })
  return { ...report, found: { ...first, shortest, run, shrinkRuns } }
}

/** A variation that is longer by this number of messages and faults is taken with a probability of 1 / e at first. */
const hottest = 0.7

/**
 * Returns a scenario that differs in one to three things: something is left out or swapped, one more message is lost or late,
 * or some number is another.
 */
function vary<Request>({ scenario, messages }: Shortened<Request>, random: () => number): Scenario<Request> {
  const below = (limit: number) => Math.floor(limit * random())
  const varied = structuredClone(scenario)
  for (let changes = 1 + below(3); changes > 0; changes--) {
    const lists: unknown[][] = [varied.requests, varied.messages, varied.nodes, varied.marks ?? []]
    const filled = lists.filter(({ length }) => length > 0)
    const list = filled[below(filled.length)] ?? []
    const at = below(list.length)
    const item = list[at]
    const kind = random()
    if (kind < 0.12) varied.jitter = random() < 0.3 ? 0 : below(2 ** 31)
    else if (kind < 0.16) varied.paces = random() < 0.5 ? 0 : below(2 ** 31)
    else if (kind < 0.36) list.splice(at, 1)
    else if (kind < 0.42) list.splice(below(list.length), 0, ...list.splice(at, 1))
    else if (kind < 0.52)
      varied.messages.push({ number: 1 + below(messages), fate: random() < 0.3 ? 'late' : 'lost', ms: 1 + below(200) })
    else if (typeof item === 'object' && item !== null) {
      const numbers = Object.entries(item).filter(([, value]) => typeof value === 'number' && value >= 0)
      const [name, value] = numbers[below(numbers.length)] ?? []
      if (name === undefined) continue
      const near = below(2) === 0 ? value + 1 + below(8) : value - 1 - below(8)
      const other = Math.max(name === 'ms' ? 1 : 0, random() < 0.4 ? below(1.3 * value + 1) : near)
      // There may be no node after this one, and no clock may be meant to be more wrong.
      const isMost = name === 'node' || ('fate' in item && (item.fate === 'clock' || item.fate === 'drift'))
      Object.assign(item, { [name]: isMost ? Math.min(other, value) : other })
    }
  }
  return varied
}

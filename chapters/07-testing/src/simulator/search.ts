/** Looks for a scenario that breaks an invariant, and makes it as short as it can be: fast-check generates and shrinks. */
import { setImmediate } from 'node:timers/promises'
import { randomFrom } from '@repo/common/async/random'
import fc from 'fast-check'
import type { Bug } from '../pipeline/orders.ts'
import { nodes, type Run, type Scenario, simulate, stock } from './simulator.ts'

/** Any scenario with 1 to `mostOrders` orders. What shrinks, shrinks towards fewer orders, less trouble and no jitter. */
export function scenarios(mostOrders: number, leastOrders = 1): fc.Arbitrary<Scenario> {
  return fc.record({
    orders: fc.array(
      fc.record({
        item: fc.constantFrom(...Object.keys(stock)),
        quantity: fc.integer({ min: 1, max: 3 }),
        card: fc.constantFrom('good', 'good', 'good', 'good', 'good', 'refused'),
      }),
      { minLength: leastOrders, maxLength: mostOrders },
    ),
    jitter: fc.nat(),
    messages: fc.array(
      fc.record({
        number: fc.integer({ min: 1, max: 30 * mostOrders }),
        fate: fc.constantFrom('lost', 'late', 'doubled'),
        ms: fc.integer({ min: 1, max: 200 }),
      }),
      { maxLength: 6 },
    ),
    nodes: fc.array(
      fc.oneof(
        fc.record({
          node: fc.nat(nodes.length - 1),
          fate: fc.constantFrom('crash', 'partition'),
          atMs: fc.nat(80),
          ms: fc.integer({ min: 1, max: 300 }),
        }),
        fc.record({
          node: fc.nat(nodes.length - 1),
          fate: fc.constant('clock'),
          atMs: fc.nat(80),
          ms: fc.integer({ min: -1_000, max: 1_000 }),
        }),
      ),
      { maxLength: 3 },
    ),
  })
}

/** How many faults a scenario has. Some may come to nothing: a message that is never sent, a node that has nothing to do. */
export const faults = ({ messages, nodes }: Scenario): number => messages.length + nodes.length

export interface SearchSettings {
  seed: number
  /** How many scenarios are run when none breaks anything. */
  histories: number
  orders: number
  bug?: Bug | undefined
}

export interface Found {
  /** How many scenarios had been run when the first was found. */
  after: number
  /** That one as it was, and of all that were made of it and of the next ones that with the fewest orders and faults. */
  scenario: Scenario
  shortest: Scenario
  /** The shortest one's, with its history. */
  run: Run
  /** How many further runs the shortening took. */
  shrinkRuns: number
}

export interface SearchReport {
  /** How many were run until one was found, or in all. */
  histories: number
  /** Sent in these. */
  messages: number
  /** What these took. */
  ms: number
  found: Found | undefined
  shrinkMs: number
}

export interface SearchOptions {
  signal?: AbortSignal
  onProgress?: (histories: number) => void
}

/** So many scenarios are run between two looks at the event loop, for progress and Ctrl-C. */
const batch = 500
/** fast-check ends where no single step makes it shorter. From another beginning it may end at a shorter one. */
const beginnings = 10

/** Runs scenarios until one breaks an invariant or there have been enough. The same settings give the same result. */
export async function search(
  { seed, histories, orders, bug }: SearchSettings,
  { signal, onProgress }: SearchOptions = {},
): Promise<SearchReport> {
  const seeds = randomFrom(seed)
  const any = scenarios(orders)
  const report: SearchReport = { histories: 0, messages: 0, ms: 0, found: undefined, shrinkMs: 0 }
  let shortest: { scenario: Scenario; trouble: number; messages: number } | undefined
  let failures = 0
  for (let done = 0; done < histories && failures < beginnings; ) {
    await setImmediate(undefined, { signal })
    const begin = performance.now()
    let runs = 0
    let failedAt = 0
    const property = fc.property(any, (scenario) => {
      const { violations, messages } = simulate(scenario, { bug })
      runs++
      if (!report.found) {
        report.histories++
        report.messages += messages
      }
      if (violations.length === 0) return true
      failedAt ||= runs
      if (!report.found) {
        report.ms += performance.now() - begin
        report.found = { after: report.histories, scenario, shortest: scenario, run: emptyRun, shrinkRuns: 0 }
      }
      const trouble = scenario.orders.length + faults(scenario)
      // Of two that are as short the later one: fast-check has taken something away from it.
      if (!shortest || trouble < shortest.trouble || (trouble === shortest.trouble && messages <= shortest.messages))
        shortest = { scenario, trouble, messages }
      return false
    })
    const settings = { seed: Math.floor(seeds() * 2 ** 31), numRuns: Math.min(batch, histories - done) }
    const checked = fc.check(property, settings)
    done += failedAt || runs
    onProgress?.(done)
    if (checked.failed) {
      failures++
      report.shrinkMs += performance.now() - begin
      if (report.found) report.found.shrinkRuns += runs - failedAt
    } else if (!report.found) report.ms += performance.now() - begin
  }
  if (report.found && shortest) {
    report.found.shortest = shortest.scenario
    report.found.run = simulate(shortest.scenario, { bug, record: true })
  }
  return report
}

const emptyRun: Run = { violations: [], messages: 0, endMs: 0, history: [] }

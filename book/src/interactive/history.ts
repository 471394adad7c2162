/** What the stepper shows: a run of chapter 7's orders on the simulated nodes, moment by moment. */
import { layOut, type Moment } from '@repo/simulator/sequence'
import { historyText, type Scenario, simulate, strikeText } from '@repo/simulator/simulator'
import { invariantNames, type Violation } from '07-testing/pipeline/invariants'
import type { Bug } from '07-testing/pipeline/orders'
import { nodes, simulatedPipeline, type Wanted } from '07-testing/pipeline/simulated'

/** From left to right: the server in the middle, because all others talk to it. */
export const columns: readonly string[] = ['front', 'payment 1', 'server', 'shipping 1', 'shipping 2']
/** As scenarios number them. */
const places: readonly string[] = nodes

export interface Told extends ReturnType<typeof layOut> {
  /** The history as the examples print it. */
  text: string
  /** For each virtual time at which something happens, in order, what is broken and stays so. */
  verdicts: { atMs: number; violations: Violation[] }[]
}

/** Runs a scenario of chapter 7, with one of its bugs or none. The same scenario gives the same history. */
export function tell(scenario: Scenario<Wanted>, bug?: Bug): Told {
  const system = simulatedPipeline(bug)
  const { history, violations } = simulate(system, scenario, { record: true })
  const layout = layOut(history, columns)
  // From the end to the beginning: the run is judged as if it had ended at each time. Halfway through, an order that is
  // under way looks lost, and another one may owe a refund. Only what is broken ever after counts.
  const times = [...new Set(layout.moments.map(({ atMs }) => atMs))]
  let broken = violations
  const verdicts = times.toReversed().map((atMs, at) => {
    if (at > 0) {
      const until = simulate({ ...system, mostMs: atMs }, scenario).violations
      broken = until.filter((one) => one.invariant !== 'no order lost' && broken.some((later) => isSame(one, later)))
    }
    return { atMs, violations: broken }
  })
  return { ...layout, text: historyText(history, nodes), verdicts: verdicts.reverse() }
}

/** Whether two violations are of the same invariant by the same order. Their details may differ. */
const isSame = (one: Violation, other: Violation) => one.invariant === other.invariant && one.order === other.order

/** Returns each invariant with the details of what has broken it until a virtual time. */
export function invariantsAt({ verdicts }: Told, atMs: number): { name: string; details: string[] }[] {
  const { violations = [] } = verdicts.findLast((verdict) => verdict.atMs <= atMs) ?? {}
  return invariantNames.map((name) => ({
    name,
    details: violations.flatMap(({ invariant, detail }) => (invariant === name ? [detail] : [])),
  }))
}

/** What happens in a moment, as a sentence. */
export function describe({ line, atMs, isEnd }: Moment): string {
  if (line.kind === 'node') return `${atMs} ms: ${line.node} ${line.text}`
  const what = `“${line.text}”`
  if (!isEnd)
    return `${atMs} ms: ${line.from} sends ${what} to ${line.to}${line.lost === 'lost' ? ', and it gets lost' : ''}`
  return line.lost
    ? `${atMs} ms: ${what} does not reach ${line.to}: ${line.lost}`
    : `${atMs} ms: ${line.to} receives ${what} from ${line.from}`
}

/** The node at which a moment happens. */
export const nodeOf = ({ line, isEnd }: Moment): string =>
  line.kind === 'node' ? line.node : isEnd ? line.to : line.from

/** A fault of a scenario. */
export type Fault =
  | { kind: 'message'; fault: Scenario<Wanted>['messages'][number] }
  | { kind: 'node'; fault: Scenario<Wanted>['nodes'][number] }

export const faultsOf = ({ messages, nodes }: Scenario<Wanted>): Fault[] => [
  ...messages.map((fault) => ({ kind: 'message' as const, fault })),
  ...nodes.map((fault) => ({ kind: 'node' as const, fault })),
]

/** Returns a scenario with these faults instead of its own. */
export const withFaults = (scenario: Scenario<Wanted>, faults: readonly Fault[]): Scenario<Wanted> => ({
  ...scenario,
  messages: faults.flatMap((one) => (one.kind === 'message' ? [one.fault] : [])),
  nodes: faults.flatMap((one) => (one.kind === 'node' ? [one.fault] : [])),
})

/** Returns what a reader may break in a moment: the message, and the node at which it happens. */
export function faultsAt(moment: Moment): { lose: Fault | undefined; crash: Fault } {
  const { line, atMs } = moment
  return {
    lose:
      line.kind === 'message' ? { kind: 'message', fault: { number: line.number, fate: 'lost', ms: 1 } } : undefined,
    crash: {
      kind: 'node',
      fault: { node: places.indexOf(nodeOf(moment)), fate: 'crash', atMs, ms: 60 },
    },
  }
}

export function faultText(one: Fault): string {
  if (one.kind === 'message') return `message ${one.fault.number} is ${one.fault.fate}`
  const { fault } = one
  return `${places[fault.node]} ${strikeText(fault)}${'atMs' in fault ? `, at ${fault.atMs} ms` : ''}`
}

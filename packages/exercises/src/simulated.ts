/** Systems of message handlers under lost, late and doubled messages, crashes, partitions and wrong clocks. */
import { type SearchSettings, search } from '@repo/simulator/search'
import { type Effect, type Happening, type System, simulate } from '@repo/simulator/simulator'
import { type Fault, longestHistory, type Step } from './exercise.ts'
import { callingLine } from './line.ts'

/** The lines of the reader's file that made a message or an effect. To find them takes longer than most runs. */
const lines = new WeakMap<object, number>()
let isRecording = false

/** Remembers which line of the reader's file called, and returns what it was given. */
export function fromLine<Made extends object>(made: Made): Made {
  const line = isRecording ? callingLine() : undefined
  if (line !== undefined) lines.set(made, line)
  return made
}

/** The effects of the simulator as functions, for the reader to yield. */
export const effects = <Node extends string, Message extends object>() => ({
  /** Sends a message again and again until it is answered; `yield` gives the answer. */
  ask: (to: Node, message: Message, againMs = 50): Effect<Node, Message> => ({
    do: 'ask',
    to,
    message: fromLine(message),
    againMs,
  }),
  /** Sends a message once. */
  send: (to: Node, message: Message): Effect<Node, Message> => ({ do: 'send', to, message: fromLine(message) }),
  /** Waits for a time, or until a condition holds. */
  wait: (ms: number, until?: () => boolean): Effect<Node, Message> => ({ do: 'wait', ms, ...(until && { until }) }),
  /** Writes a value to the node's disk; what was not saved is forgotten in a crash. */
  save: (key: string, value: unknown): Effect<Node, Message> => ({ do: 'save', key, value }),
})

const mark = '\u0000'

/**
 * Looks for a scenario that breaks a system, and makes it as short as possible.
 *
 * @param explain turns a violation into a fault
 * @returns the fault of the shortest scenario, with its history
 */
export async function underFaults<Node extends string, Request, Message extends object, Violation>(
  system: System<Node, Request, Message, Violation>,
  settings: Omit<SearchSettings<Request>, 'seed'> & { seed?: number },
  explain: (violation: Violation) => Fault,
): Promise<Fault | undefined> {
  const withLines: typeof system = {
    ...system,
    describe: (message) => `${system.describe(message)}${mark}${lines.get(message) ?? ''}`,
  }
  const { found } = await search(withLines, { seed: 1, beginnings: 4, ...settings })
  if (!found) return undefined
  // Once more, now with the lines: the same scenario gives the same run, unless the reader's code is left to chance.
  isRecording = true
  const again = simulate(withLines, found.shortest, { record: true })
  isRecording = false
  const run = again.violations.length > 0 ? again : found.run
  const [violation] = run.violations
  if (violation === undefined) return undefined
  const steps = run.history.map(stepOf)
  const history = steps.length <= longestHistory ? steps : [...steps.slice(0, 2), ...steps.slice(2 - longestHistory)]
  return { history, ...explain(violation) }
}

function stepOf(happening: Happening): Step {
  if (happening.kind === 'node') return { who: happening.node, what: `${happening.text} (at ${happening.atMs} ms)` }
  const [text = '', line = ''] = happening.text.split(mark)
  const lost = happening.lost ? ` ✕ ${happening.lost}` : ''
  return {
    who: happening.from,
    to: happening.to,
    what: `${text}${lost}`,
    line: Number(line) || undefined,
  }
}

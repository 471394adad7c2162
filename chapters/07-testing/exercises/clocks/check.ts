/** Random histories of three processes, whose true order follows from the messages. */
import { counterexample, withOneLess } from '@repo/exercises/counterexample'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { declaredAt, lastReading } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

/** For each process, how many of its events one has heard of. A process that is missing counts as 0. */
export type Vector = Readonly<Record<string, number>>
/** How one event stands to another. */
export type Order = 'before' | 'after' | 'same' | 'concurrent'

const processes = ['a', 'b', 'c'] as const
type Process = (typeof processes)[number]

/** What may happen next in a history. */
interface Wanted {
  process: Process
  does: 'works' | 'sends' | 'receives'
  /** Which of the messages under way it receives. If there is none, it works. */
  which: number
}

interface Event {
  process: Process
  what: string
  to: Process | undefined
  /** The events that it had heard of, itself included. */
  past: ReadonlySet<Event>
  time: number
  vector: Vector
}

const wanted = fc.record<Wanted>({
  process: fc.constantFrom(...processes),
  does: fc.constantFrom('works', 'sends', 'receives'),
  which: fc.nat(3),
})
/** A receipt and its sending are two of them. */
const histories = fc.array(wanted, { minLength: 1, maxLength: 12 })

/** Lets a history happen, with the reader's clocks. Returns what a clock got wrong at once. */
function happen(wanted: readonly Wanted[], { lamport, tick, receive }: Solution): { events: Event[]; fault?: Fault } {
  const events: Event[] = []
  const lastOf = new Map<Process, Event>()
  const underWay: { name: string; sent: Event; to: Process }[] = []
  let messages = 0
  for (const { process, does, which } of wanted) {
    const last = lastOf.get(process)
    const [time, vector] = [last?.time ?? 0, last?.vector ?? Object.freeze({})]
    const mine = underWay.filter(({ to }) => to === process)
    const message = does === 'receives' ? mine[which % mine.length] : undefined
    const event: Event = {
      process,
      what: does === 'sends' ? `sends m${++messages}` : message ? `receives ${message.name}` : 'works',
      to: undefined,
      past: new Set(),
      time: message ? lamport(time, message.sent.time) : lamport(time),
      vector: Object.freeze(message ? receive(vector, message.sent.vector, process) : tick(vector, process)),
    }
    event.past = new Set([event, ...(last?.past ?? []), ...(message?.sent.past ?? [])])
    if (message) underWay.splice(underWay.indexOf(message), 1)
    if (does === 'sends') {
      event.to = processes[(processes.indexOf(process) + 1 + (which % 2)) % 3] as Process
      underWay.push({ name: `m${messages}`, sent: event, to: event.to })
    }
    lastOf.set(process, event)
    events.push(event)
    if (!message && event.time <= time) {
      const says = 'lamport does not count an event.'
      const fault = { says, expected: `lamport(${time}): more than ${time}`, received: String(event.time) }
      return { events, fault: { ...fault, history: stepsOf(events), line: declaredAt('lamport') } }
    }
  }
  return { events }
}

const stepsOf = (events: readonly Event[], reading: (event: Event) => string = ({ time }) => String(time)): Step[] =>
  events.map((event) => ({
    who: event.process,
    what: `${event.what}: ${reading(event)}`,
    ...(event.to && { to: event.to }),
  }))

const vectorText = (vector: Vector) => {
  const counts = Object.keys(vector)
    .sort()
    .map((process) => `${process}: ${vector[process]}`)
  return `{${counts.join(', ')}}`
}
const isSame = (a: Vector, b: Vector) => processes.every((process) => (a[process] ?? 0) === (b[process] ?? 0))

function judge(wanted: readonly Wanted[], solution: Solution): Fault | undefined {
  const { events, fault } = happen(wanted, solution)
  if (fault) return fault
  const pairs = events.flatMap((b, at) => events.slice(0, at).map((a): [Event, Event] => [a, b]))
  for (const [a, b] of pairs) {
    if (!b.past.has(a) || a.time < b.time) continue
    return {
      says: 'An effect has no larger Lamport time than its cause.',
      expected: `"${b.what}" of ${b.process} later than "${a.what}" of ${a.process}, at ${a.time}`,
      received: String(b.time),
      history: stepsOf(events),
      line: declaredAt('lamport'),
      why: 'The event before it in its process is a cause of a receipt, and so is the sending of the message.',
    }
  }
  const history = stepsOf(events, ({ vector }) => vectorText(vector))
  for (const [a, b] of pairs) {
    if (!isSame(a.vector, b.vector)) continue
    return {
      says: 'Two events have the same vector.',
      expected: `a vector that says that "${b.what}" of ${b.process} was after "${a.what}" of ${a.process}`,
      received: vectorText(b.vector),
      history,
      line: declaredAt(b.what.startsWith('receives') ? 'receive' : 'tick'),
      why: 'Each event counts, a receipt as well: otherwise it cannot be told from the event that it has heard of.',
    }
  }
  for (const { process, what, past, vector } of events) {
    const heard: Record<string, number> = {}
    for (const event of past) heard[event.process] = (heard[event.process] ?? 0) + 1
    if (isSame(heard, vector)) continue
    return {
      says: 'A vector does not say how many events of each process were heard of.',
      expected: `${vectorText(heard)} for "${what}" of ${process}`,
      received: vectorText(vector),
      history,
      line: declaredAt(what.startsWith('receives') ? 'receive' : 'tick'),
    }
  }
  for (const [a, b] of pairs) {
    const truth = b.past.has(a) ? 'before' : 'concurrent'
    for (const [first, second, expected] of [
      [a.vector, b.vector, truth],
      [b.vector, a.vector, truth === 'before' ? 'after' : truth],
      [b.vector, { ...b.vector }, 'same'],
    ] as const) {
      const received = solution.compare(first, second)
      if (received === expected) continue
      return {
        says: saysOf(expected, received),
        expected: `compare(${vectorText(first)}, ${vectorText(second)}): ${expected}`,
        received: String(received),
        history,
        line: lastReading([first, second] as const, (vectors) => solution.compare(...vectors)) ?? declaredAt('compare'),
      }
    }
  }
  return undefined
}

function saysOf(expected: Order, received: unknown): string {
  if (expected === 'same') return 'compare does not recognize the same event.'
  if (expected !== 'concurrent') return 'compare does not see that one event had heard of the other.'
  if (received === 'same') return 'compare takes two events for the same.'
  return 'compare orders two events that had not heard of each other.'
}

export default exercise<Solution>({
  check: async (solution) =>
    await counterexample(histories, (wanted) => judge(wanted, solution), { runs: 400, smaller: withOneLess }),
})

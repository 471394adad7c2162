/**
 * Is a history linearizable: is there an order of its operations in which each takes place at one moment between its
 * beginning and its end, and in which every answer is right?
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory (2017): what has been tried once with the same operations
 * done and the same value is not tried again. Operations on different keys cannot disturb one another (Herlihy and Wing,
 * 1990), so each key is judged by itself.
 */
import { carryOut, changesNothing, type Operation } from './history.ts'

/** `unknown`: the budget was used up before an order was found, or all were tried. It is no verdict. */
export type Verdict = { verdict: 'linearizable' } | { verdict: 'unknown' | 'not linearizable'; key: string }

export interface CheckOptions {
  /** The number of steps to take for each key, about a microsecond each; a million by default. */
  budget?: number
}

/** Judges a history. One key that is not linearizable decides; otherwise one that is unknown does. */
export function checkHistory(history: readonly Operation[], { budget = 1_000_000 }: CheckOptions = {}): Verdict {
  const keys = Map.groupBy(history, ({ key }) => key)
  let unknown: Verdict | undefined
  for (const [key, operations] of keys) {
    const order = findOrder(operations, budget)
    if (order === 'none') return { verdict: 'not linearizable', key }
    if (order === 'unknown') unknown ??= { verdict: 'unknown', key }
  }
  return unknown ?? { verdict: 'linearizable' }
}

/** A beginning or an end of an operation, in a doubly linked list by time. */
interface Event {
  /** The position of the operation in the history. */
  at: number
  ms: number
  /** The end that belongs to a beginning. */
  end: Event | undefined
  before: Event | undefined
  after: Event | undefined
}

/**
 * Returns the operations of one key in an order that explains all answers, by their positions; those without an answer may
 * be missing. `none` if there is no such order, `unknown` if the budget is used up.
 *
 * Some choices need not be tried in all ways: what changes nothing may take place at once, or need not take place if it has
 * no answer; and of the writes without an answer whose values nobody saw, the first one does as well as another.
 */
export function findOrder(operations: readonly Operation[], budget = 1_000_000): number[] | 'none' | 'unknown' {
  const head = listOf(operations)
  const seen = seenValues(operations)
  /** Writes without an answer whose values nobody saw: by position, and which of them began first. */
  const unseen = new Map(
    [...operations.entries()]
      .filter(([, { does, ended }]) => 'write' in does && ended === undefined && !seen.has(does.write))
      .sort(([, a], [, b]) => a.beginMs - b.beginMs)
      .map(([at], rank) => [at, rank]),
  )
  let unseenDone = 0
  const done = new Uint32Array(Math.ceil(operations.length / 32))
  /** The fewest writes of unseen values with which the same operations and value have been tried. */
  const tried = new Map<string, number>()
  const order: { event: Event; value: string | null }[] = []
  let answered = operations.filter(({ ended }) => ended !== undefined).length
  let value: string | null = null
  let event = head.after
  /** Notes that an operation is done, or that it is not. */
  function note(at: number, change: 1 | -1) {
    if (operations[at]?.ended !== undefined) answered -= change
    if (unseen.has(at)) unseenDone += change
    else done[at >> 5] = (done[at >> 5] ?? 0) ^ (1 << (at & 31))
  }
  for (let steps = 0; answered > 0; steps++) {
    if (steps > budget) return 'unknown'
    if (event?.end) {
      const operation = operations[event.at] as Operation
      const next = apply(operation, value)
      const isUseful = operation.ended !== undefined || next !== value
      if (next !== undefined && isUseful && (unseen.get(event.at) ?? unseenDone) === unseenDone) {
        note(event.at, 1)
        // A value that nobody sees is as good as any other one.
        const key = `${done.join(' ')} ${seen.has(next) ? JSON.stringify(next) : ''}`
        if (unseenDone < (tried.get(key) ?? Number.POSITIVE_INFINITY)) {
          tried.set(key, unseenDone)
          order.push({ event, value })
          value = next
          lift(event)
          event = head.after
          continue
        }
        note(event.at, -1)
      }
      event = event.after
      continue
    }
    // An operation that has ended must come before all that follow: what was chosen before was wrong.
    const last = order.pop()
    if (last === undefined) return 'none'
    note(last.event.at, -1)
    unlift(last.event)
    value = last.value
    event = changesNothing(operations[last.event.at] as Operation) ? undefined : last.event.after
  }
  return order.map(({ event }) => event.at)
}

/** Returns the values that some answer tells, or some compare and set expects. */
function seenValues(operations: readonly Operation[]): Set<string | null> {
  const seen = new Set<string | null>()
  for (const { does, ended } of operations) {
    if (ended && 'read' in ended) seen.add(ended.read)
    if ('from' in does) seen.add(does.from)
  }
  return seen
}

// #region model
/** Returns the value after an operation, or undefined if its answer would be wrong here. */
function apply({ does, ended }: Operation, before: string | null): string | null | undefined {
  const { answer, value } = carryOut(does, before)
  if (ended === undefined) return value
  if ('read' in answer) return 'read' in ended && ended.read === answer.read ? value : undefined
  return 'isDone' in ended && ended.isDone === answer.isDone ? value : undefined
}
// #endregion model

/** Returns the head of the list of all events. */
function listOf(operations: readonly Operation[]): Event {
  const event = (at: number, ms: number, end?: Event): Event => ({ at, ms, end, before: undefined, after: undefined })
  const events = operations.flatMap(({ beginMs, ended }, at) => {
    const end = event(at, ended?.atMs ?? Number.POSITIVE_INFINITY)
    return [event(at, beginMs, end), end]
  })
  // At the same time beginnings come first: whether they overlap cannot be told, so they may.
  events.sort((a, b) => a.ms - b.ms || Number(b.end !== undefined) - Number(a.end !== undefined))
  const head = event(-1, Number.NEGATIVE_INFINITY)
  let last = head
  for (const each of events) {
    last.after = each
    each.before = last
    last = each
  }
  return head
}

/** Takes both events of an operation out of the list. */
function lift(begin: Event) {
  for (const event of [begin, begin.end as Event]) {
    if (event.before) event.before.after = event.after
    if (event.after) event.after.before = event.before
  }
}

/** Puts them back. */
function unlift(begin: Event) {
  for (const event of [begin.end as Event, begin]) {
    if (event.before) event.before.after = event
    if (event.after) event.after.before = event
  }
}

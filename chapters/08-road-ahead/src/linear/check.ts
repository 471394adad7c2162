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

/**
 * Judges a history. One key that is not linearizable decides; otherwise one that is unknown does.
 *
 * @param budget the number of steps to take for each key, about a microsecond each
 */
export function checkHistory(history: readonly Operation[], budget = 1_000_000): Verdict {
  let unknown: Verdict | undefined
  for (const [key, operations] of Map.groupBy(history, ({ key }) => key)) {
    const order = findOrder(operations, budget)
    if (order === 'none') return { verdict: 'not linearizable', key }
    if (order === 'unknown') unknown ??= { verdict: 'unknown', key }
  }
  return unknown ?? { verdict: 'linearizable' }
}

/** An operation, by its position in the history. */
interface Item {
  at: number
  operation: Operation
  isDone: boolean
}

/** A moment of the search: what may be next, and what was taken for it. */
interface Moment {
  value: string | null
  /** All operations with an answer that began before this one of them are done. */
  first: number
  choices: Item[]
  chosen?: Item
}

/**
 * Returns the operations of one key in an order that explains all answers, by their positions; those without an answer may
 * be missing. `none` if there is no such order, `unknown` if the budget is used up.
 *
 * Some choices need not be tried in all ways: what changes nothing may take place at once, or need not take place if it has
 * no answer; and of the writes without an answer whose values nobody saw, the first one does as well as another.
 */
export function findOrder(operations: readonly Operation[], budget: number): number[] | 'none' | 'unknown' {
  /** The values that some answer tells, or some compare and set expects. */
  const seen = new Set<string | null>()
  for (const { does, ended } of operations) {
    if (ended && 'read' in ended) seen.add(ended.read)
    if ('from' in does) seen.add(does.from)
  }
  const items = operations.map((operation, at): Item => ({ at, operation, isDone: false }))
  items.sort((a, b) => a.operation.beginMs - b.operation.beginMs)
  const {
    answered = [],
    open = [],
    unseen = [],
  } = Object.groupBy(items, ({ operation: { does, ended } }) => {
    if (ended) return 'answered'
    return 'write' in does && !seen.has(does.write) ? 'unseen' : 'open'
  })
  let unseenDone = 0
  const done = new Uint32Array(Math.ceil(items.length / 32))
  /** The fewest writes of unseen values with which the same operations and value have been tried. */
  const tried = new Map<string, number>()

  /** Notes that an operation is done, or that it is not. */
  function note(item: Item, change: 1 | -1) {
    item.isDone = change === 1
    if (unseen.includes(item)) unseenDone += change
    else done[item.at >> 5] ^= 1 << (item.at & 31)
  }

  /** An operation may be next if all that ended before it began are done. If the times are the same, it may be either way. */
  function momentOf(value: string | null, from: number): Moment {
    let first = from
    while (answered[first]?.isDone) first++
    const choices: Item[] = []
    let endMs = Number.POSITIVE_INFINITY
    for (let next = first; next < answered.length; next++) {
      const item = answered[next]
      if (item.operation.beginMs > endMs) break
      if (item.isDone) continue
      choices.push(item)
      endMs = Math.min(endMs, item.operation.ended?.atMs ?? endMs)
    }
    for (const item of [...open, ...unseen.slice(unseenDone, unseenDone + 1)])
      if (!item.isDone && item.operation.beginMs <= endMs) choices.push(item)
    return { value, first, choices }
  }

  const moments = [momentOf(null, 0)]
  // Until all operations with an answer are done.
  for (let steps = 0; moments.at(-1)?.first !== answered.length; steps++) {
    if (steps > budget) return 'unknown'
    const moment = moments.at(-1)
    if (moment === undefined) return 'none'
    const item = moment.choices.shift()
    if (item === undefined) {
      // What was chosen before was wrong.
      moments.pop()
      const chosen = moments.at(-1)?.chosen
      if (chosen) note(chosen, -1)
      continue
    }
    const next = apply(item.operation, moment.value)
    if (next === undefined || (item.operation.ended === undefined && next === moment.value)) continue
    if (changesNothing(item.operation)) moment.choices = []
    note(item, 1)
    // A value that nobody sees is as good as any other one.
    const key = `${done.join(' ')} ${seen.has(next) ? JSON.stringify(next) : ''}`
    if (unseenDone < (tried.get(key) ?? Number.POSITIVE_INFINITY)) {
      tried.set(key, unseenDone)
      moment.chosen = item
      moments.push(momentOf(next, moment.first))
    } else note(item, -1)
  }
  return moments.flatMap(({ chosen }) => chosen?.at ?? [])
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

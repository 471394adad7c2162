/** The part of a history that shows why it is not linearizable. */
import { checkHistory, findOrder } from './check.ts'
import { changesNothing, type Operation, operationText } from './history.ts'

/**
 * Returns operations on one register that are not linearizable, and from which nothing more can be left out. The history
 * itself is then not linearizable either, because only such operations are left out as an order of the rest does not need:
 *
 * - all that began later than a certain moment; what had not ended by then is without an answer,
 * - reads, and attempts to compare and set that were refused,
 * - writes of values that nobody saw, neither a read nor a compare and set.
 *
 * There are none if the history is linearizable, or nobody can tell within the budget.
 */
export function shorten(history: readonly Operation[], budget = 1_000_000): Operation[] {
  const judged = checkHistory(history, budget)
  if (judged.verdict !== 'not linearizable') return []
  const operations = history.filter(({ key }) => key === judged.key).sort((a, b) => a.beginMs - b.beginMs)
  const isWrong = (part: readonly Operation[]) => findOrder(part, budget) === 'none'
  // A longer beginning of a wrong one is wrong as well: halve.
  const moments = operations.flatMap(({ ended }) => ended?.atMs ?? []).sort((a, b) => a - b)
  let from = 0
  let to = moments.length - 1
  while (from < to) {
    const middle = (from + to) >> 1
    if (isWrong(until(operations, moments[middle]))) to = middle
    else from = middle + 1
  }
  let part = until(operations, moments[to])
  // Large pieces first, then smaller ones, then single operations until none can be left out.
  for (let size = part.length >> 1; size > 0; ) {
    const { length } = part
    for (let at = 0; at < part.length; ) {
      const rest = without(part, part.slice(at, at + size))
      if (rest.length < part.length && isWrong(rest)) part = rest
      else at += size
    }
    if (size > 1) size >>= 1
    else if (part.length === length) break
  }
  return part
}

/** Returns in one line the part that shows why a history is not linearizable, or an empty text. */
export const contradictionIn = (history: readonly Operation[]): string =>
  shorten(history, 100_000)
    .map((operation) => `${operation.client}: ${operationText(operation)}`)
    .join('; ')

/** Returns the part without those operations of a piece that the rest does not need. */
function without(part: readonly Operation[], piece: readonly Operation[]): Operation[] {
  const rest = part.filter((operation) => !piece.includes(operation))
  const free = piece.filter((operation) => !isNeeded(operation, rest))
  return free.length === piece.length ? rest : without(part, free)
}

/** What was known at a moment. */
const until = (operations: readonly Operation[], ms: number): Operation[] =>
  operations
    .filter(({ beginMs }) => beginMs <= ms)
    .map(({ ended, ...asked }) => (ended && ended.atMs <= ms ? { ...asked, ended } : asked))

/** Whether the rest may only be explained with this operation. */
function isNeeded(operation: Operation, rest: readonly Operation[]): boolean {
  const { does } = operation
  if ('read' in does || changesNothing(operation)) return false
  const value = 'write' in does ? does.write : does.to
  return rest.some((other) => {
    if ('write' in other.does) return false
    if ('read' in other.does) return other.ended && 'read' in other.ended && other.ended.read === value
    // One that was refused saw something else than it expected: perhaps this value.
    return changesNothing(other) || other.does.from === value
  })
}

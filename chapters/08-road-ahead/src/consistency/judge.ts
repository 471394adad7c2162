/** The verdict on the history of a system. */
import { findOrder } from '../linear/check.ts'
import type { Operation } from '../linear/history.ts'
import { shorten } from '../linear/shorten.ts'

/** The most wrong keys of a kind that are shortened. */
const mostShortened = 3

/** Judges a history, key by key. */
export function judge(history: readonly Operation[], budget: number) {
  /** The number of keys of each verdict. */
  const keys = { linearizable: 0, wrong: 0, unknown: 0 }
  const wrong = { shared: [] as Operation[][], once: [] as Operation[][] }
  /** Writes to keys that are written once: how many were acknowledged, and how many of them the last reads miss. */
  let acknowledged = 0
  let lost = 0
  for (const [key, operations] of Map.groupBy(history, ({ key }) => key)) {
    const isOnce = key.startsWith('once-')
    const order = findOrder(operations, budget)
    keys[order === 'none' ? 'wrong' : order === 'unknown' ? 'unknown' : 'linearizable']++
    if (order === 'none') wrong[isOnce ? 'once' : 'shared'].push(operations)
    if (!isOnce || !operations.some(({ does, ended }) => 'write' in does && ended !== undefined)) continue
    acknowledged++
    const last = operations.at(-1)?.ended
    if (last && 'read' in last && last.read === null) lost++
  }
  const shortest = (keys: Operation[][]) =>
    keys
      .slice(0, mostShortened)
      .map((operations) => shorten(operations, budget))
      .sort((a, b) => a.length - b.length)[0] ?? []
  const lostPart = shortest(wrong.once)
  const answered = history.filter(({ ended }) => ended !== undefined).length
  const verdict = keys.wrong > 0 ? 'not linearizable' : keys.unknown > 0 ? 'unknown' : 'linearizable'
  return {
    verdict,
    keys,
    answered,
    unanswered: history.length - answered,
    acknowledged,
    lost,
    /** The shortest part that cannot be explained, of a key that all clients share if there is one. */
    part: wrong.shared.length > 0 ? shortest(wrong.shared) : lostPart,
    /** The shortest part that shows a lost write. */
    lostPart,
  }
}

/** Histories that are made up: a store that is right by construction, and answers that are not. */
import { randomFrom } from '@repo/common/async/random'
import { type Action, carryOut, type Operation } from './history.ts'

export interface HistoryOptions {
  seed: number
  operations: number
  clients: number
  keys: number
  /** Replace one answer by another one. It may be right by chance. */
  isChanged?: boolean
  /** The share of operations that get no answer; a twentieth by default. */
  lost?: number
}

/**
 * Makes a history up. Each operation takes place at a random moment between its beginning and its end; those without an
 * answer take place, or do not.
 */
export function makeHistory({ seed, operations, clients, keys, isChanged, lost = 0.05 }: HistoryOptions): Operation[] {
  const random = randomFrom(seed)
  const below = (limit: number) => Math.floor(limit * random())
  /** When each client has its last answer. */
  const free = Array.from({ length: clients }, () => 0)
  const planned = Array.from({ length: operations }, (_, at) => {
    const client = below(clients)
    const beginMs = free[client] + random() * 10
    const endMs = beginMs + random() * 20
    free[client] = endMs
    const kind = random()
    const key = `k${below(keys)}`
    const momentMs = beginMs + random() * (endMs - beginMs)
    return { at, client, key, kind, beginMs, endMs, momentMs, isLost: random() < lost, happens: random() < 0.5 }
  })
  const values = new Map<string, string | null>()
  const history = planned
    .sort((a, b) => a.momentMs - b.momentMs)
    .map(({ at, client, key, kind, beginMs, endMs, isLost, happens }): Operation => {
      const now = values.get(key) ?? null
      let does: Action = { read: true }
      if (kind >= 0.8) does = { from: kind < 0.9 ? now : String(below(operations)), to: String(at) }
      else if (kind >= 0.4) does = { write: String(at) }
      const { answer, value } = carryOut(does, now)
      if (!isLost || happens) values.set(key, value)
      return { client: `c${client}`, key, does, beginMs, ...(!isLost && { ended: { atMs: endMs, ...answer } }) }
    })
    .sort((a, b) => a.beginMs - b.beginMs)
  if (!isChanged) return history
  const answered = history.filter(({ ended, does }) => ended !== undefined && !('write' in does))
  const { ended } = answered[below(answered.length)] ?? {}
  if (ended && 'read' in ended) ended.read = String(below(operations))
  else if (ended) ended.isDone = !ended.isDone
  return history
}

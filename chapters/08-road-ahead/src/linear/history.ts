/** What clients asked of a store and what they were told, as data: one operation on one register each. */
import { visible } from '@repo/common/output/control-characters'

/**
 * `read`, `write` with a value, or `cas`: compare and set, which writes `to` if it finds `from`. The value of a register that
 * was never written is null.
 */
export type Action = { read: true } | { write: string } | { from: string | null; to: string }

export type Answer = { read: string | null } | { isDone: boolean }

/** An operation of a client. Times are in ms from any beginning, by one clock. */
export interface Operation {
  client: string
  /** The register's. */
  key: string
  does: Action
  /** When the client sent it. */
  beginMs: number
  /**
   * What the client was told, and when. Without it nobody knows whether it took place: the client gave up, or its
   * connection broke. An operation that certainly did not take place does not belong into a history.
   */
  ended?: { atMs: number } & Answer
}

/** Returns what a register with this value answers, and its value afterwards. */
export function carryOut(does: Action, value: string | null): { answer: Answer; value: string | null } {
  if ('read' in does) return { answer: { read: value }, value }
  if ('write' in does) return { answer: { isDone: true }, value: does.write }
  const isDone = does.from === value
  return { answer: { isDone }, value: isDone ? does.to : value }
}

/** Whether its answer says that an operation has changed nothing, wherever it took place: it read, or was refused. */
export const changesNothing = ({ ended }: Operation): boolean =>
  ended !== undefined && ('read' in ended || !ended.isDone)

/** Returns what was asked, such as `write x 3` or `cas x 1 → 2`. */
export function actionText({ key, does }: Pick<Operation, 'key' | 'does'>): string {
  if ('read' in does) return `read ${key}`
  if ('write' in does) return `write ${key} ${does.write}`
  return `cas ${key} ${does.from ?? 'nothing'} → ${does.to}`
}

/** Returns what an operation says, such as `write x 3` or `cas x 1 → 2: refused`. */
export function operationText(operation: Operation): string {
  const { ended } = operation
  const asked = actionText(operation)
  if (ended === undefined) return `${asked}: no answer`
  if ('read' in ended) return `${asked}: ${ended.read ?? 'nothing'}`
  return ended.isDone ? asked : `${asked}: refused`
}

/** Returns a line for each operation: who, from when to when, and what. The texts may come from somebody's file. */
export function partLines(part: readonly Operation[]): string[] {
  return part.map((operation) => {
    const { client, beginMs, ended } = operation
    const until = ended === undefined ? '      …' : `${ended.atMs.toFixed(0).padStart(5)} ms`
    return visible(`  ${client.padEnd(6)} ${beginMs.toFixed(0).padStart(5)} to ${until}  ${operationText(operation)}`)
  })
}

/** Histories as text: a line of JSON for each operation. */
import { z } from 'zod'
import type { Operation } from './history.ts'

const time = z.number().min(0)
const value = z.string().nullable()
const schema = z
  .strictObject({
    client: z.string(),
    key: z.string(),
    does: z.union([
      z.strictObject({ read: z.literal(true) }),
      z.strictObject({ write: z.string() }),
      z.strictObject({ from: value, to: z.string() }),
    ]),
    beginMs: time,
    ended: z
      .union([z.strictObject({ atMs: time, read: value }), z.strictObject({ atMs: time, isDone: z.boolean() })])
      .optional(),
  })
  .refine(({ does, ended }) => ended === undefined || 'read' in does === 'read' in ended, 'an answer to something else')
  .refine(({ beginMs, ended }) => ended === undefined || ended.atMs >= beginMs, 'it ends before it begins')

export const historyText = (history: readonly Operation[]): string =>
  history.map((operation) => `${JSON.stringify(operation)}\n`).join('')

/**
 * Reads a history.
 *
 * @throws an Error that names the first line that is none
 */
export function parseHistory(text: string): Operation[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return []
    try {
      return [schema.parse(JSON.parse(line)) as Operation]
    } catch (error) {
      const why = error instanceof z.ZodError ? (error.issues[0]?.message ?? '') : (error as Error).message
      throw new Error(`line ${at + 1}: received "${line.slice(0, 80)}"; accepts an operation as JSON (${why})`)
    }
  })
}

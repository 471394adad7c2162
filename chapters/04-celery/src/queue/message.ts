/**
 * What travels: the data of a BullMQ job, its id, and the names of the channels beside the queues.
 *
 * An id says where its task is and who asked for it: `queue.client.number`. So a result can be found by its id alone,
 * and a worker knows on which channel somebody may be waiting, without a byte of the message being spent on it.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canvasSchema } from '../canvas/message.ts'

/** The data of a job; the task's name is the job's name. Data, never code, and checked before anything is done with it. */
export const messageSchema = z.object({
  args: z.unknown(),
  /** Of the definition that the sender had. */
  version: z.int(),
  /** Milliseconds since 1970 after which it is not begun. */
  expiresAt: z.number().optional(),
  /** The same for what is sent later, by a schedule or after another task: milliseconds after that. */
  expiresInMs: z.number().optional(),
  /** For a task of a canvas whose turn may come sooner: milliseconds since 1970 before which it is not begun. */
  notBefore: z.number().optional(),
  softLimitMs: z.number().optional(),
  hardLimitMs: z.number().optional(),
  /** For middleware. */
  headers: z.record(z.string(), z.unknown()).optional(),
  canvas: canvasSchema.optional(),
})
export type Message = z.infer<typeof messageSchema>

/** What one client's results are told on, and what its questions to the workers are answered on. */
export const replyChannel = (prefix: string, client: string) => `${prefix}:reply:${client}`
/** What all workers listen to. */
export const controlChannel = (prefix: string) => `${prefix}:control`

/** A sorted set of the ids that must not be run, each with the milliseconds since 1970 at which that was said. */
export const revokedKey = (prefix: string) => `${prefix}:revoked`

/** The client in the ids of tasks with an idempotency key: whoever sends it again is told as well. */
const sharedClient = 'key'

export const taskId = (queue: string, client: string, number: number) => `${queue}.${client}.${number.toString(36)}`

export function keyedTaskId(queue: string, task: string, key: string): string {
  return `${queue}.${sharedClient}.${createHash('sha256').update(`${task}\0${key}`).digest('base64url')}`
}

/** The queue and client in an id; undefined in ids that are not ours, such as those of a scheduler's jobs. */
export function partsOf(id: string): { queue: string; client: string } | undefined {
  const parts = /^(.+)\.([\w-]+)\.[\w-]+$/.exec(id)
  return parts?.[1] && parts[2] ? { queue: parts[1], client: parts[2] } : undefined
}

/**
 * One finished task, as told on a reply channel: its result, its error, or nothing but that it has finished, when the
 * result is too large to be worth sending twice.
 */
export type Reply =
  | [id: string, kind: 'ok', result: unknown]
  | [id: string, kind: 'error', name: string, message: string, stack: string]
  | [id: string, kind: 'look']

const answerSchema = z.object({
  /** The question's id. */
  question: z.string(),
  worker: z.string(),
  answer: z.unknown(),
})
/** What a worker answers to a question of remote control. */
export type Answer = z.infer<typeof answerSchema>

/** What was said on a reply channel. Whoever may publish there can say anything: what is neither of the two is left out. */
export function toldBy(text: string): Reply[] | Answer | undefined {
  let told: unknown
  try {
    told = JSON.parse(text)
  } catch {
    return undefined
  }
  if (Array.isArray(told)) return told.filter(isReply)
  return answerSchema.safeParse(told).data
}

// By hand, not by a schema: there is one for every task.
function isReply(told: unknown): told is Reply {
  if (!Array.isArray(told) || typeof told[0] !== 'string') return false
  const [, kind, ...rest] = told
  if (kind === 'error') return rest.length === 3 && rest.every((text) => typeof text === 'string')
  return kind === 'look' || (kind === 'ok' && rest.length === 1)
}

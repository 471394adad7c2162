/**
 * What travels through Redis: the data of a BullMQ job, its id, and the names of the channels beside the queues.
 *
 * An id says where its task is and who sent it: `queue.client.number`. So a result can be found by its id alone, and a
 * worker knows which channel the sender listens on without spending a byte of the message on it.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'

/** A job of a canvas that is added later, by the worker that runs the task before it. */
const link = z.object({
  queueName: z.string(),
  name: z.string(),
  /** Its message; the worker that runs it checks it. */
  data: z.looseObject({ args: z.unknown().optional(), version: z.int() }),
  opts: z.looseObject({ jobId: z.string() }),
  /** Which of its arguments receives the result, or the error. */
  into: z.string().optional(),
})
export type Link = z.infer<typeof link>

const canvasPart = z.object({
  /** `args` is a list, and the task runs for each of its entries. */
  map: z.literal(true).optional(),
  /** One argument is the result of this job, its child in a flow; with `all`, the list of all these jobs' results. */
  takes: z.object({ into: z.string(), from: z.array(z.string()), all: z.boolean() }).optional(),
  /** It runs after all jobs below it in its flow, even if it is retried by hand. */
  after: z.literal(true).optional(),
  /** It may run before all jobs below it in its flow have ended: see `continue` in canvas/canvas.ts. */
  early: z.literal(true).optional(),
  /** Added when the task has succeeded, and when it has failed for good. */
  links: z.array(link).optional(),
  errorLinks: z.array(link).optional(),
})
/** What a message carries beside its arguments when its task is part of a canvas. */
export type CanvasPart = z.infer<typeof canvasPart>

/** The argument of a task behind `linkError`: which task failed, and how. */
export const taskErrorSchema = z.object({
  id: z.string(),
  task: z.string(),
  name: z.string(),
  message: z.string(),
  stack: z.string(),
})
export type TaskError = z.infer<typeof taskErrorSchema>

/** The data of a job, whose name is the task's. Data, never code, and checked before anything is done with it. */
export const messageSchema = z.object({
  /** JSON leaves them out if they are undefined: a task need not have any. */
  args: z.unknown().optional(),
  /** The version of the sender's definition. */
  version: z.int(),
  /** The task must not begin after this moment, in milliseconds since 1970. */
  expiresAt: z.number().optional(),
  /** The same for tasks sent later, by a schedule or after another task: milliseconds from that moment. */
  expiresInMs: z.number().optional(),
  /** For a task of a canvas whose turn may come sooner: it must not begin before this moment. */
  notBefore: z.number().optional(),
  softLimitMs: z.number().optional(),
  hardLimitMs: z.number().optional(),
  canvas: canvasPart.optional(),
})
export type Message = z.infer<typeof messageSchema>

/** One client's channel: workers publish its results and the answers to its questions there. */
export const replyChannel = (prefix: string, client: string) => `${prefix}:reply:${client}`
/** The channel that all workers listen to. */
export const controlChannel = (prefix: string) => `${prefix}:control`

/** A sorted set of the ids that must not run, each with the time of its revocation in milliseconds since 1970. */
export const revokedKey = (prefix: string) => `${prefix}:revoked`

/** Replaces the client in the id of a task with an idempotency key: any client may have sent it. */
const sharedClient = 'key'

export const taskId = (queue: string, client: string, number: number) => `${queue}.${client}.${number.toString(36)}`

export function keyedTaskId(queue: string, task: string, key: string): string {
  return `${queue}.${sharedClient}.${createHash('sha256').update(`${task}\0${key}`).digest('base64url')}`
}

/** The queue and client in an id; undefined for ids of another form, such as those of scheduled jobs. */
export function partsOf(id: string): { queue: string; client: string } | undefined {
  // A queue's name may have any character but a colon, even the end of a line.
  const parts = /^(.+)\.([\w-]+)\.[\w-]+$/s.exec(id)
  return parts?.[1] && parts[2] ? { queue: parts[1], client: parts[2] } : undefined
}

/** Whether a task was sent with an idempotency key: then it may be sent again with the same id. */
export const isKeyed = (id: string) => partsOf(id)?.client === sharedClient

/** Where Redis keeps the job of an id that names its queue. */
export const jobKey = (prefix: string, id: string) => `${prefix}:${partsOf(id)?.queue}:${id}`

/** The end of one task, as published: its result, its error, or for a large result only a hint to look at the job. */
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
/** A worker's answer to a remote-control question. */
export type Answer = z.infer<typeof answerSchema>

/** Reads what was published on a reply channel. Anyone may publish there, so anything of another form is ignored. */
export function readReplies(text: string): Reply[] | Answer | undefined {
  let replies: unknown
  try {
    replies = JSON.parse(text)
  } catch {
    return undefined
  }
  if (Array.isArray(replies)) return replies.filter(isReply)
  return answerSchema.safeParse(replies).data
}

// Checked by hand, for speed: every task has a reply.
function isReply(reply: unknown): reply is Reply {
  if (!Array.isArray(reply) || typeof reply[0] !== 'string') return false
  const [, kind, ...rest] = reply
  if (kind === 'error') return rest.length === 3 && rest.every((text) => typeof text === 'string')
  return kind === 'look' || (kind === 'ok' && rest.length === 1)
}

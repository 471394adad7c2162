/**
 * Celery's own messages, as its Redis transport carries them: version 2 of its protocol, with JSON as the serializer.
 *
 * A message is a JSON text in a Redis list with the queue's name. It is pushed on the left and popped on the right. Its
 * body is base64 of `[args, kwargs, embed]`; the headers have what a worker needs before it reads the body. A result is
 * a JSON text under `celery-task-meta-<id>`, and is published on the channel of that name.
 *
 * https://docs.celeryq.dev/en/stable/internals/protocol.html
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { z } from 'zod'

const json = z.json()
const noneOr = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined)
/** Becomes part of a key's name. */
const taskId = z.string().min(1).max(255)
/** A moment as Python writes it. Without a time zone it is UTC. */
const moment = z.string().transform((text, context) => {
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isFinite(ms)) return ms
  context.addIssue('a moment in ISO 8601')
  return z.NEVER
})

/** A task to be called later, as in a chain or a callback. */
const signature = z.looseObject({
  task: z.string(),
  args: z.array(json),
  kwargs: z.record(z.string(), json),
  options: z.looseObject({ task_id: noneOr(taskId), queue: noneOr(z.string()) }),
  immutable: noneOr(z.boolean()),
})
export type Signature = z.output<typeof signature>

const headers = z.looseObject({
  task: z.string(),
  id: taskId,
  root_id: noneOr(taskId),
  parent_id: noneOr(taskId),
  eta: noneOr(moment),
  expires: noneOr(moment),
  retries: noneOr(z.int().min(0)),
  /** Hard and soft, in seconds. */
  timelimit: noneOr(z.tuple([z.number().positive().nullable(), z.number().positive().nullable()])),
  ignore_result: noneOr(z.boolean()),
})

const envelope = z.object({
  body: z.string(),
  'content-type': z.literal('application/json'),
  'content-encoding': z.literal('utf-8'),
  headers,
  properties: z.looseObject({ body_encoding: z.literal('base64') }),
})

const isClean = (value: unknown) => !Object.hasOwn(Object(value), '__proto__')
const keywords = z.unknown().refine(isClean, 'no keyword may be __proto__').pipe(z.record(z.string(), json))

const body = z.tuple([
  z.array(json),
  keywords,
  z.looseObject({
    callbacks: noneOr(z.array(signature)),
    errbacks: noneOr(z.array(json)),
    /** The last one is the next. */
    chain: noneOr(z.array(signature)),
    chord: z.unknown().optional(),
  }),
])

export type Message = z.output<typeof headers> & {
  args: unknown[]
  kwargs: Record<string, unknown>
  callbacks: Signature[]
  chain: Signature[]
}

/** A message that cannot be served. If it says for which task it is, that task fails with this error. */
export class RejectedMessage extends Error {
  override name = 'RejectedMessage'
  readonly id: string | undefined
  constructor(why: string, id?: string) {
    super(why)
    this.id = id
  }
}

/** The most bytes of a decoded body. */
export const mostBytes = 1_000_000

/**
 * Reads a message.
 *
 * @throws RejectedMessage for anything but a message of version 2, in JSON, that this chapter's worker can serve
 */
export function decodeMessage(text: string): Message {
  const raw = parseJson(text)
  const id = z.object({ headers: z.object({ id: taskId }) }).safeParse(raw).data?.headers.id
  const checked = envelope.safeParse(raw)
  if (!checked.success) throw new RejectedMessage(`not a JSON message of protocol 2: ${reason(checked.error)}`, id)
  const { headers, body: encoded } = checked.data
  const size = Buffer.byteLength(encoded, 'base64')
  if (size > mostBytes) throw new RejectedMessage(`a body of ${size} bytes; at most ${mostBytes}`, id)
  const content = parseBody(parseJson(Buffer.from(encoded, 'base64').toString(), id), id)
  if (!content.success) throw new RejectedMessage(`not [args, kwargs, embed]: ${reason(content.error)}`, id)
  const [args, kwargs, { callbacks = [], errbacks = [], chain = [], chord }] = content.data
  if (errbacks.length > 0) throw new RejectedMessage('link_error is not served by this worker', id)
  if (chord != null) throw new RejectedMessage('chords are not served by this worker', id)
  return { ...headers, args, kwargs, callbacks, chain }
}

/** Lists nested some thousand deep overflow the stack of the schema's own recursion. */
function parseBody(value: unknown, id?: string) {
  try {
    return body.safeParse(value)
  } catch (error) {
    throw new RejectedMessage(`not [args, kwargs, embed]: ${(error as Error).message}`, id)
  }
}

function parseJson(text: string, id?: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RejectedMessage(`not JSON: ${text.slice(0, 80)}`, id)
  }
}

export const reason = (error: z.ZodError) =>
  z
    .prettifyError(error)
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, 500)

export interface Call {
  task: string
  args?: unknown[]
  kwargs?: Record<string, unknown>
  /** A random one by default. */
  id?: string
  queue: string
  retries?: number
  /** Not before, in ms since 1970. */
  eta?: number | undefined
  /** Not after. */
  expires?: number | undefined
  /** Hard and soft, in seconds. */
  timelimit?: [number | null, number | null] | undefined
  ignoreResult?: boolean | undefined
  parentId?: string | undefined
  rootId?: string | undefined
  /** Called with the result; the last one is the next. */
  chain?: Signature[]
  callbacks?: Signature[]
}

/** Writes a message. `LPUSH queue text` sends it. */
export function encodeMessage(call: Call): { id: string; queue: string; text: string } {
  const {
    task,
    args = [],
    kwargs = {},
    id = randomUUID(),
    queue,
    retries = 0,
    eta,
    expires,
    timelimit,
    ignoreResult = false,
  } = call
  const { parentId = null, rootId = id, chain = null, callbacks = null } = call
  const content = JSON.stringify([args, kwargs, { callbacks, errbacks: null, chain, chord: null }])
  // Celery 5 reads the digits after the point as microseconds, no matter how many there are: all six must be there.
  const moment = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString().replace('Z', '000Z'))
  const message = {
    body: Buffer.from(content).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {
      lang: 'js',
      task,
      id,
      root_id: rootId,
      parent_id: parentId,
      group: null,
      shadow: null,
      retries,
      eta: moment(eta),
      expires: moment(expires),
      timelimit: timelimit ?? [null, null],
      ignore_result: ignoreResult,
      argsrepr: JSON.stringify(args).slice(0, 200),
      kwargsrepr: JSON.stringify(kwargs).slice(0, 200),
      origin: `${process.pid}@${hostname()}`,
    },
    properties: {
      correlation_id: id,
      reply_to: '',
      delivery_mode: 2,
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
      delivery_info: { exchange: '', routing_key: queue },
    },
  }
  return { id, queue, text: JSON.stringify(message) }
}

/** Makes a chain's or a callback's call from a signature: the result comes before the signature's own arguments. */
export function callOf(
  { task, args, kwargs, options, immutable }: Signature,
  result: unknown,
  parent: Message,
  queue: string,
) {
  return {
    task,
    kwargs,
    args: immutable ? args : [result, ...args],
    id: options.task_id ?? randomUUID(),
    queue: options.queue ?? queue,
    parentId: parent.id,
    rootId: parent.root_id ?? parent.id,
  }
}

export const resultKey = (id: string) => `celery-task-meta-${id}`

/** What the result store knows about a task. */
export const taskMeta = z.looseObject({
  status: z.enum(['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED']),
  result: z.unknown(),
  traceback: noneOr(z.string()),
})
export type TaskMeta = z.output<typeof taskMeta>

export const failure = z.object({ exc_type: z.string(), exc_message: z.unknown(), exc_module: noneOr(z.string()) })

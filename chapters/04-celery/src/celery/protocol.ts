/**
 * Celery's own messages, as its Redis transport carries them: version 2 of its protocol, with JSON as the serializer.
 *
 * A message is a JSON text in a Redis list with the queue's name, or in one for its priority. It is pushed on the left
 * and popped on the right. Its body is base64 of `[args, kwargs, embed]`, perhaps compressed; the headers have what a
 * worker needs before it reads the body. A result is a JSON text under `celery-task-meta-<id>`, and is published on the
 * channel of that name.
 *
 * https://docs.celeryq.dev/en/stable/internals/protocol.html
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { brotliDecompressSync, unzipSync, zstdDecompressSync } from 'node:zlib'
import { messageOf } from '@repo/common/output/errors'
import { z } from 'zod'
import { readJson, writeJson } from '../rq/json.ts'

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

/** As today's Celery writes it where JSON is nested; an older one writes only the text. */
const nestedMoment = z
  .union([z.string(), z.object({ __type__: z.literal('datetime'), __value__: z.string() })])
  .transform((value) => (typeof value === 'string' ? value : value.__value__))
  .pipe(moment)
/** From 0, which goes first, to 9. */
const priority = z.int().min(0).max(9)
const limit = z.number().positive()
/** Celery's workers take 0 for no limit. */
const limitOrNone = z.union([limit, z.literal(0).transform(() => null)]).nullable()
const isClean = (value: unknown) => !Object.hasOwn(Object(value), '__proto__')
/** The values may be whatever JSON has: a task's own schemas check them. */
const keywords = z.unknown().refine(isClean, 'no keyword may be __proto__').pipe(z.record(z.string(), z.unknown()))
const isNothing = (value: unknown) => value == null || (Array.isArray(value) && value.length === 0)
const notServed = (what: string) => z.unknown().refine(isNothing, `${what} not served by this worker`).optional()

/** Celery's workers make a canvas of these, so it would be waited for in vain. */
const canvases = ['celery.group', 'celery.chord', 'celery.chain']

/** A task to be called later, as in a chain or a callback. */
const signature = z.looseObject({
  task: z
    .string()
    .refine((name) => !canvases.includes(name), { error: ({ input }) => `${input} is not served by this worker` }),
  args: z.array(z.unknown()),
  kwargs: keywords,
  options: z.looseObject({
    task_id: noneOr(taskId),
    queue: noneOr(z.string()),
    priority: noneOr(priority),
    /** Seconds after the task before it has ended. */
    countdown: noneOr(z.number()),
    eta: noneOr(nestedMoment),
    /** Seconds after the task before it has ended, or a moment. */
    expires: noneOr(z.union([z.number(), nestedMoment.transform((at) => ({ at }))])),
    time_limit: noneOr(limitOrNone),
    soft_time_limit: noneOr(limitOrNone),
    ignore_result: noneOr(z.boolean()),
    get link() {
      return z.preprocess((value) => (value == null ? undefined : [value].flat()), signatures.optional())
    },
    link_error: notServed('link_error is'),
    chord: notServed('chords are'),
  }),
  immutable: noneOr(z.boolean()),
})
export type Signature = z.input<typeof signature>

/** Checked, but left as it is: with the next task of a chain the rest travels on. */
const followUp: z.ZodType<Signature> = z.custom<Signature>().superRefine((value, context) => {
  const { error } = signature.safeParse(value)
  if (error) context.addIssue(reason(error).replace('✖ ', ''))
})
const signatures = z.array(followUp)

const headers = z.looseObject({
  task: z.string(),
  id: taskId,
  root_id: noneOr(taskId),
  parent_id: noneOr(taskId),
  eta: noneOr(moment),
  expires: noneOr(moment),
  retries: noneOr(z.int().min(0)),
  /** Hard and soft, in seconds. */
  timelimit: noneOr(z.tuple([limitOrNone, limitOrNone])),
  ignore_result: noneOr(z.boolean()),
  compression: noneOr(z.string()),
})

const envelope = z.object({
  body: z.string(),
  'content-type': z.literal('application/json'),
  'content-encoding': z.literal('utf-8'),
  headers,
  properties: z.looseObject({ body_encoding: z.literal('base64') }),
})

const body = z.tuple([
  z.array(z.unknown()),
  keywords,
  z.looseObject({
    callbacks: noneOr(signatures),
    errbacks: notServed('link_error is'),
    /** The last one is the next. */
    chain: noneOr(signatures),
    chord: notServed('chords are'),
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
  const content = parseBody(parseJson(decompress(encoded, headers.compression, id), id), id)
  if (!content.success) throw new RejectedMessage(`not [args, kwargs, embed]: ${reason(content.error)}`, id)
  const [args, kwargs, { callbacks = [], chain = [] }] = content.data
  return { ...headers, args, kwargs, callbacks, chain }
}

/** What Celery writes for the first is not gzip but plain zlib; this reads both. */
const decompressors: Record<string, (body: Buffer, options: { maxOutputLength: number }) => Buffer> = {
  'application/x-gzip': unzipSync,
  'application/x-brotli': brotliDecompressSync,
  'application/zstd': zstdDecompressSync,
}

function decompress(encoded: string, compression: string | undefined, id?: string): string {
  const tooLarge = (size: string) => new RejectedMessage(`a body of ${size} bytes; at most ${mostBytes}`, id)
  const size = Buffer.byteLength(encoded, 'base64')
  if (size > mostBytes) throw tooLarge(String(size))
  const body = Buffer.from(encoded, 'base64')
  if (compression === undefined) return body.toString()
  const decompressor = Object.hasOwn(decompressors, compression) ? decompressors[compression] : undefined
  if (!decompressor) {
    const served = Object.keys(decompressors).join(', ')
    throw new RejectedMessage(
      `compression ${compression.slice(0, 80)} is not served by this worker; it reads ${served}`,
      id,
    )
  }
  try {
    return decompressor(body, { maxOutputLength: mostBytes }).toString()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(`more than ${mostBytes}`)
    throw new RejectedMessage(`compression ${compression}: ${messageOf(error)}`, id)
  }
}

/** Lists nested some thousand deep overflow the stack of whatever walks through them. */
function parseBody(value: unknown, id?: string) {
  try {
    const checked = body.safeParse(value)
    if (checked.success) for (const at of [0, 1] as const) checked.data[at] = fromPython(checked.data[at]) as never
    return checked
  } catch (error) {
    throw new RejectedMessage(`not [args, kwargs, embed]: ${messageOf(error)}`, id)
  }
}

function parseJson(text: string, id?: string): unknown {
  try {
    return readJson(text)
  } catch {
    const [number] = /\bNaN\b|\bInfinity\b/.exec(text) ?? []
    throw new RejectedMessage(`not JSON${number ? `, which has no ${number}` : ''}: ${text.slice(0, 80)}`, id)
  }
}

const mark = randomUUID()

/**
 * Reads a result as Python writes it. NaN, Infinity and -Infinity, which are not JSON, become the numbers they are.
 *
 * @throws a SyntaxError or RangeError for anything else that is not JSON
 */
export function readResult(text: string): unknown {
  try {
    return fromPython(readJson(text))
  } catch {
    // The strings are matched as well, so that what stands in them stays.
    const marked = text.replaceAll(/"(?:[^"\\]|\\.)*"|(?:-?Infinity|NaN)(?!\s*:)/g, (token) =>
      token.startsWith('"') ? token : `"${mark}${token}"`,
    )
    return fromPython(readJson(marked))
  }
}

const pythonValue = z.strictObject({
  __type__: z.enum(['datetime', 'date', 'time', 'decimal', 'uuid', 'bytes', 'base64']),
  __value__: z.union([z.string(), z.object({ hex: z.string() }).transform(({ hex }) => dashed(hex))]),
})
const dashed = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/**
 * Makes texts of dates, decimals and the like. Celery sends those as texts up to kombu 5.2, and since then as objects
 * with a type, which only Python knows.
 */
function fromPython(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(mark) ? Number(value.slice(mark.length)) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromPython)
  const typed = '__type__' in value ? pythonValue.safeParse(value).data : undefined
  return typed?.__value__ ?? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fromPython(each)]))
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
  /** From 0, which goes first and is the default, to 9. */
  priority?: number | undefined
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

const moments = z.number().refine((ms) => Math.abs(ms) <= 8.64e15, 'no moment')
const options = z.object({
  priority,
  retries: z.int().min(0),
  eta: moments.optional(),
  expires: moments.optional(),
  timelimit: z.tuple([limit.nullable(), limit.nullable()]),
})

/** The lists of a queue, in the order in which workers look into them. A priority between two is in the lower one. */
const steps = [0, 3, 6, 9]
export const listsOf = (queue: string) => steps.map((step) => (step === 0 ? queue : `${queue}\x06\x16${step}`))

/**
 * Writes a message. `LPUSH list text` sends it.
 *
 * @throws TypeError for arguments that JSON would change, and RangeError for options that mean nothing
 */
export function encodeMessage(call: Call): { id: string; list: string; text: string } {
  const { task, args = [], kwargs = {}, id = randomUUID(), queue, ignoreResult = false } = call
  const { parentId = null, rootId = id, chain = null, callbacks = null, eta, expires } = call
  const { retries = 0, priority = 0, timelimit = [null, null] } = call
  const checked = options.safeParse({ eta, expires, retries, priority, timelimit })
  if (!checked.success) throw new RangeError(`${task}: ${reason(checked.error)}`)
  const written = (value: unknown, what: string) => writeJson(value, `${what} of ${task}`, { bigints: true })
  const [argsText, kwargsText] = [written(args, 'the arguments'), written(kwargs, 'the keywords')]
  const embed = written({ callbacks, errbacks: null, chain, chord: null }, 'the chain')
  // Celery 5 reads the digits after the point as microseconds, no matter how many there are: all six must be there.
  const moment = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString().replace('Z', '000Z'))
  const message = {
    body: Buffer.from(`[${argsText},${kwargsText},${embed}]`).toString('base64'),
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
      timelimit,
      ignore_result: ignoreResult,
      argsrepr: argsText.slice(0, 200),
      kwargsrepr: kwargsText.slice(0, 200),
      origin: `${process.pid}@${hostname()}`,
    },
    properties: {
      correlation_id: id,
      reply_to: '',
      delivery_mode: 2,
      priority,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
      delivery_info: { exchange: '', routing_key: queue },
    },
  }
  const list = listsOf(queue)[steps.findLastIndex((step) => step <= priority)] ?? queue
  return { id, list, text: JSON.stringify(message) }
}

/** The same message for another attempt, with everything that its sender wrote into it. */
export function retryOf(text: string, retries: number, eta: number): string {
  const message = readJson(text) as { headers: object }
  const headers = { ...message.headers, retries, eta: new Date(eta).toISOString().replace('Z', '000Z') }
  return writeJson({ ...message, headers }, 'the message', { bigints: true })
}

/** Makes a chain's or a callback's call from a signature: the result comes before the signature's own arguments. */
export function callOf(follower: Signature, result: unknown, parent: Message, queue: string): Call {
  const { task, kwargs, args, immutable, options } = signature.parse(follower)
  const { countdown, expires, time_limit = null, soft_time_limit = null } = options
  const now = Date.now()
  return {
    task,
    kwargs,
    args: immutable ? args : [result, ...args],
    id: options.task_id ?? randomUUID(),
    queue: options.queue ?? queue,
    priority: options.priority,
    eta: countdown === undefined ? options.eta : now + 1_000 * countdown,
    expires: typeof expires === 'number' ? now + 1_000 * expires : expires?.at,
    timelimit: [time_limit, soft_time_limit],
    ignoreResult: options.ignore_result,
    callbacks: options.link ?? [],
    parentId: parent.id,
    rootId: parent.root_id ?? parent.id,
  }
}

export const resultKey = (id: string) => `celery-task-meta-${id}`

/** What the result store knows about a task. A task may report states of its own, such as PROGRESS. */
export const taskMeta = z.looseObject({
  status: z.string(),
  result: z.unknown(),
  traceback: noneOr(z.string()),
})
export type TaskMeta = z.output<typeof taskMeta>

/** After these nothing more comes. */
export const hasEnded = ({ status }: TaskMeta) => ['SUCCESS', 'FAILURE', 'REVOKED'].includes(status)

export const failure = z.object({ exc_type: z.string(), exc_message: z.unknown(), exc_module: noneOr(z.string()) })

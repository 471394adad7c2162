/**
 * What the options of a call, a task, a client and a worker accept. They are checked before anything is sent or started:
 * a NaN that becomes a delay of 0, or an Infinity that JSON turns into null, would run a task at the wrong time.
 */
import { inspect } from 'node:util'
import { messageOf } from '@repo/common/output/errors'
import { z } from 'zod'
import { InvalidArguments } from './errors.ts'
import { lastPriority } from './routing.ts'
import { longestMs } from './settings.ts'
import type { SendOptions, Task } from './task.ts'

const mostRetries = 1_000_000

/** An option of a form that this sentence describes. */
function option<T>(accepted: string, fits: (value: unknown) => boolean) {
  return z.custom<T>(fits, { error: ({ input }) => `received ${shown(input)}; accepts ${accepted}` }).optional()
}

function shown(value: unknown): string {
  const text = value instanceof Date ? String(value) : inspect(value, { breakLength: Infinity, depth: 1 })
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

const isIn = (value: unknown, from: number, to: number) => typeof value === 'number' && value >= from && value <= to
const ms = (from: number) =>
  option<number>(`milliseconds from ${from} to ${longestMs}`, (ms) => isIn(ms, from, longestMs))
const whole = (from: number, to: number) =>
  option<number>(`whole numbers from ${from} to ${to}`, (n) => Number.isInteger(n) && isIn(n, from, to))
const flag = option<boolean>('true or false', (value) => typeof value === 'boolean')
/** BullMQ joins names with colons. */
const isName = (text: unknown) => typeof text === 'string' && /^[^:]+$/.test(text)
const name = option<string>('a name without colons', isName)
const bytes = option<number>('bytes from 0 to Infinity', (count) => isIn(count, 0, Infinity))
const retries = whole(0, mostRetries)

const rateLimit = z.object({ max: whole(1, 1_000_000).nonoptional(), perMs: ms(1).nonoptional() }).optional()

const forBoth = {
  queue: name,
  priority: option<number>(`1 to ${lastPriority}, 1 is first`, (n) => Number.isInteger(n) && isIn(n, 1, lastPriority)),
  expiresInMs: ms(0),
  softLimitMs: ms(0),
  hardLimitMs: ms(0),
  ignoreResult: flag,
}

const sendOptions = z
  .strictObject({
    ...forBoth,
    countdownMs: ms(0),
    eta: option<Date>(
      'a valid Date at most 100 years ahead',
      (value) => value instanceof Date && value.getTime() - Date.now() <= longestMs,
    ),
    maxRetries: retries,
    idempotencyKey: option<string>(
      // Half of a character has no bytes of its own: two texts that are cut within one would be the same key.
      'a text of whole characters that is not empty',
      (key) => typeof key === 'string' && key !== '' && key.isWellFormed(),
    ),
  })
  .refine(({ eta, countdownMs }) => eta === undefined || countdownMs === undefined, {
    error: 'received both eta and countdownMs; accepts one of them',
  })

const task = z.object({
  ...forBoth,
  name: z.string().min(1),
  version: whole(0, Number.MAX_SAFE_INTEGER),
  maxPayloadBytes: bytes,
  rateLimit,
  retries: z
    .strictObject({
      max: retries.nonoptional(),
      baseMs: ms(0),
      maxMs: ms(0),
      jitter: flag,
      when: option('a function', (value) => typeof value === 'function'),
    })
    .optional(),
})

/** BullMQ waits for each of a worker's queues on a connection of its own. */
export const mostQueues = 100

const queueSettings = z.record(z.string(), z.strictObject({ priorities: flag, rateLimit })).optional()

/** Its type is enough. */
const unchecked = z.unknown().optional()

const settings = z.strictObject({
  url: unchecked,
  ca: unchecked,
  prefix: unchecked,
  tasks: unchecked,
  name: unchecked,
  middleware: unchecked,
  log: unchecked,
  routes: z.record(z.string(), name.nonoptional()).optional(),
  maxPayloadBytes: bytes,
  queueSettings,
  queues: option<string[]>(
    '1 to 100 names without colons, each once',
    (names) =>
      Array.isArray(names) &&
      isIn(names.length, 1, mostQueues) &&
      new Set(names).size === names.length &&
      names.every(isName),
  ),
  concurrency: whole(1, 10_000),
  // BullMQ makes a timer of it, and Node's are no longer.
  lockMs: option<number>('milliseconds from 1 to 2147483647', (ms) => isIn(ms, 1, 2 ** 31 - 1)),
  maxRedeliveries: retries,
  leaveToOthers: z.strictObject({ times: retries.nonoptional(), forMs: ms(0).nonoptional() }).optional(),
})

/** @throws a RangeError of one line that names the option, what was received and what is accepted */
function check(schema: z.ZodType, value: unknown, of: string): void {
  const { error } = schema.safeParse(value)
  if (error) throw new RangeError(`${of}${describeIssues(error)}`)
}

const noOptions = {}

/** Checks the options of a call, and its task's. */
export function checkOptions(of: Task, options: SendOptions = noOptions): void {
  checkTask(of)
  if (options !== noOptions) check(sendOptions, options, `${of.name}: `)
}

/** Tasks that have been checked: a client sends the same one again and again. */
const checked = new WeakSet<Task>()

/** Checks the options of a definition. */
export function checkTask(of: Task): void {
  if (checked.has(of)) return
  check(task, of, `${of.name}: `)
  checked.add(of)
}

/** Checks the settings of a client or a worker. */
export function checkSettings(given: object): void {
  check(settings, given, '')
}

/** Checks arguments. @throws InvalidArguments for a schema that throws by itself; what it throws may be anything */
export function parseArguments<S extends z.ZodType>(of: Task<S>, args: unknown) {
  try {
    return of.args.safeParse(args)
  } catch (thrown) {
    throw new InvalidArguments(`${of.name}: its schema has thrown: ${messageOf(thrown)}`)
  }
}

/** What does not match a schema, in one line: `a: expected number, received string`. */
export function describeIssues({ issues }: Pick<z.ZodError, 'issues'>): string {
  return issues.map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`).join('; ')
}

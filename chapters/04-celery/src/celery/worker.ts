/**
 * A worker for Celery's clients: it serves messages of protocol.ts, with Celery's results, errors, retries and chains.
 */
import { setInterval } from 'node:timers/promises'
import { after } from '@repo/common/async/timer'
import { errorOf, messageOf } from '@repo/common/output/errors'
import { z } from 'zod'
import { connect, explainRedisError, type Redis } from '../queue/connect.ts'
import { type Claim, type ServeOptions, serve } from '../rq/claims.ts'
import { writeJson } from '../rq/json.ts'
import {
  callOf,
  decodeMessage,
  encodeMessage,
  listsOf,
  type Message,
  mostBytes,
  RejectedMessage,
  reason,
  resultKey,
  retryOf,
} from './protocol.ts'

export interface TaskContext {
  id: string
  /** How many tries there were before this one. */
  retries: number
  /** Aborted when the task reaches a time limit. */
  signal: AbortSignal
}

export interface CeleryTask {
  args: z.ZodType<unknown[]>
  kwargs?: z.ZodType<Record<string, unknown>> | undefined
  /** How often it is tried again when it throws; 0 by default. */
  maxRetries?: number | undefined
  /** 1 s by default. */
  retryDelayMs?: number | undefined
  run: (args: never, kwargs: never, context: TaskContext) => unknown
}

/**
 * A task with the schemas of its arguments, from which they get their types. Without `kwargs` it accepts no keywords.
 */
export function celeryTask<Args extends z.ZodType<unknown[]>, Kwargs extends z.ZodType<Record<string, unknown>>>(task: {
  args: Args
  kwargs?: Kwargs
  maxRetries?: number
  retryDelayMs?: number
  run: (args: z.output<Args>, kwargs: z.output<Kwargs>, context: TaskContext) => unknown
}): CeleryTask {
  return task
}

const resultTtlSeconds = 86_400
const scheduledEveryMs = 200
const mostRejected = 1_000
const longestMessage = 2_000
const longestTraceback = 10_000

const scripts = {
  // Removes the message and writes its result and the messages that follow, unless the message is no longer ours.
  // Nothing of it is done where a list of a message that follows is no list: scripts are not undone.
  end: `for at = 3, #ARGV, 2 do
      local type = redis.call('TYPE', ARGV[at]).ok
      if type ~= 'list' and type ~= 'none' then return ARGV[at] end
    end
    if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    if ARGV[2] ~= '' then
      redis.call('SET', KEYS[2], ARGV[2], 'EX', ${resultTtlSeconds})
      redis.call('PUBLISH', KEYS[2], ARGV[2])
    end
    for at = 3, #ARGV, 2 do redis.call('LPUSH', ARGV[at], ARGV[at + 1]) end
    return 1`,
  later: `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    if ARGV[2] ~= '' then
      redis.call('SET', KEYS[2], ARGV[2], 'EX', ${resultTtlSeconds})
      redis.call('PUBLISH', KEYS[2], ARGV[2])
    end
    return redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])`,
  reject: `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    redis.call('LPUSH', KEYS[2], ARGV[2])
    return redis.call('LTRIM', KEYS[2], 0, ${mostRejected - 1})`,
  due: `for _, message in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)) do
      redis.call('ZREM', KEYS[1], message)
      redis.call('LPUSH', KEYS[2], message)
    end`,
}

/** The keys of a queue: Celery's own, and those for what Celery's own have no room for. */
export const workerKeys = (queue: string) => ({
  waiting: queue,
  lower: listsOf(queue).slice(1),
  workers: `${queue}:ts:workers`,
  active: `${queue}:ts:active:`,
  /** A sorted set of messages, by the moment before which they may not run. */
  scheduled: `${queue}:ts:scheduled`,
  /** Messages that could not be served, each with the reason, the newest first. */
  rejected: `${queue}:ts:rejected`,
})
type Keys = ReturnType<typeof workerKeys>

/**
 * Serves a queue of Celery until the signal is aborted, and finishes the tasks that are then running. A message that
 * cannot be served is put aside with the reason; if it says which task it is for, that task fails.
 *
 * @throws an Error of one line if Redis cannot be reached or refuses the password
 */
export async function serveCelery(
  url: string,
  queue: string,
  tasks: Record<string, CeleryTask>,
  { onError = () => {}, ...options }: ServeOptions,
): Promise<void> {
  const keys = workerKeys(queue)
  const redis = await connect(url)
  const over = new AbortController()
  async function sendWhatIsDue() {
    for await (const _ of setInterval(scheduledEveryMs, undefined, { signal: over.signal })) {
      const sent = redis.eval(scripts.due, 2, keys.scheduled, keys.waiting, Date.now())
      await sent.catch((error) => onError(errorOf(explainRedisError(error, url))))
    }
  }
  // Nobody waits for it at the end: without Redis it never ends.
  void sendWhatIsDue().catch(() => {})
  try {
    await serve(url, keys, (redis, claim) => runMessage(redis, keys, tasks, claim), { onError, ...options })
  } finally {
    over.abort()
    redis.disconnect()
  }
}

/** Removes a queue with everything in it, and what kombu has noted about it. Results expire by themselves. */
export async function clearCelery(url: string, queue: string): Promise<void> {
  const redis = await connect(url)
  const { waiting, lower, workers, active, scheduled, rejected } = workerKeys(queue)
  const bindings = [`_kombu.binding.${queue}`, `_kombu.binding_permanent.${queue}`]
  try {
    // The lists of killed workers, whose names are known.
    const had = (await redis.zrange(workers, '0', '-1')).map((worker) => active + worker)
    await redis.del(waiting, ...lower, workers, scheduled, rejected, ...bindings, ...had)
    // What all workers share goes with the last one; today's kombu sweeps this only later.
    const shared = 'celery.pidbox'
    if ((await redis.exists(`_kombu.binding.${shared}`)) === 0) await redis.zrem('_kombu.binding_deadlines', shared)
  } catch (error) {
    throw explainRedisError(error, url)
  } finally {
    // An open one would keep the process alive.
    redis.disconnect()
  }
}

async function runMessage(redis: Redis, keys: Keys, tasks: Record<string, CeleryTask>, { item, active }: Claim) {
  const end = (id: string, meta: string, ...next: { list: string; text: string }[]) =>
    redis.eval(scripts.end, 2, active, resultKey(id), item, meta, ...next.flatMap(({ list, text }) => [list, text]))
  let message: Message
  try {
    message = decodeMessage(item)
  } catch (error) {
    const rejected = error instanceof RejectedMessage ? error : new RejectedMessage(messageOf(error))
    const { id, message: reason } = rejected
    if (id !== undefined) {
      const text = JSON.stringify(failed(id, rejected, 'celery.exceptions'))
      // It never replaces a result: a wrong message may carry the id of another task.
      const set = await redis.set(resultKey(id), text, 'EX', resultTtlSeconds, 'NX')
      if (set === 'OK') await redis.publish(resultKey(id), text)
    }
    const kept = JSON.stringify({ reason, message: item.slice(0, 10_000) })
    return void (await redis.eval(scripts.reject, 2, active, keys.rejected, item, kept))
  }

  const { id, eta = 0, expires = Number.POSITIVE_INFINITY, retries = 0 } = message
  // Nothing if the client does not want to know.
  const wanted = (meta: object) => (message.ignore_result ? '' : JSON.stringify(meta))
  const later = (meta: string, text: string, at: number) =>
    redis.eval(scripts.later, 3, active, resultKey(id), keys.scheduled, item, meta, text, at)
  if (eta > Date.now()) return void (await later('', item, eta))
  if (expires < Date.now()) {
    const expired = failed(id, new NamedError('TaskRevokedError', 'expired'), 'celery.exceptions')
    return void (await end(id, wanted({ ...expired, status: 'REVOKED' })))
  }
  const task = Object.hasOwn(tasks, message.task) ? tasks[message.task] : undefined
  let success: string
  let followers: ReturnType<typeof encodeMessage>[]
  try {
    if (!task) throw new NamedError('NotRegistered', message.task.slice(0, 200))
    const result = (await run(task, message)) ?? null
    ;[success, followers] = outcomeOf(result, message, keys)
  } catch (thrown) {
    const error = errorOf(thrown)
    const fails = failed(id, error, error instanceof NamedError ? 'celery.exceptions' : 'builtins')
    const { maxRetries = 0, retryDelayMs = 1_000 } = task ?? {}
    // Waiting makes neither an unknown task nor wrong arguments or results right.
    const isFinal = error instanceof NamedError || error instanceof WrongArguments || error instanceof WrongResult
    if (retries >= maxRetries || isFinal) return void (await end(id, wanted(fails)))
    const dueAt = Date.now() + retryDelayMs
    let again: string
    try {
      again = retryOf(item, retries + 1, dueAt)
    } catch {
      // Its headers are nested too deeply to be written.
      return void (await end(id, wanted(fails)))
    }
    return void (await later(wanted({ ...fails, status: 'RETRY', date_done: null }), again, dueAt))
  }
  // If Redis refuses this, the task has not failed, and is run again.
  const ended = await end(id, success, ...followers)
  if (typeof ended !== 'string') return
  const error = new WrongResult(`the next task cannot be sent: "${ended}" in Redis is not a queue`)
  await end(id, wanted(failed(id, error, 'builtins')))
}

/** What is written when a task has succeeded: its result, and the tasks that follow. */
function outcomeOf(result: unknown, message: Message, { waiting }: Keys) {
  try {
    const chain = [...message.chain]
    const next = chain.pop()
    const followers = message.callbacks.map((callback) => encodeMessage(callOf(callback, result, message, waiting)))
    if (next) followers.push(encodeMessage({ ...callOf(next, result, message, waiting), chain }))
    if (message.ignore_result) return ['', followers] as const
    const children = followers.map(({ id }) => [[id, null], null])
    const text = writeJson({ ...metaOf(message.id, 'SUCCESS', result), children }, 'the result', { bigints: true })
    const size = Buffer.byteLength(text)
    if (size > mostBytes) throw new RangeError(`the result: ${size} bytes; at most ${mostBytes}`)
    return [text, followers] as const
  } catch (error) {
    throw new WrongResult(`${message.task}: ${messageOf(error)}`)
  }
}

async function run({ args: argsSchema, kwargs: kwargsSchema = z.strictObject({}), run }: CeleryTask, message: Message) {
  const [args, kwargs] = checkArguments(z.tuple([argsSchema, kwargsSchema]), message)
  const [hard, soft] = message.timelimit ?? [null, null]
  const overdue = Promise.withResolvers<never>()
  const limit = new AbortController()
  // A JavaScript function cannot be interrupted. Both limits ask it to stop; at the hard one the task has failed.
  using _hard = after(1_000 * (hard ?? Number.POSITIVE_INFINITY), () => {
    const error = new NamedError('TimeLimitExceeded', String(hard))
    overdue.reject(error)
    limit.abort(error)
  })
  using _soft = after(1_000 * (soft ?? Number.POSITIVE_INFINITY), () =>
    limit.abort(new NamedError('SoftTimeLimitExceeded', String(soft))),
  )
  const context = { id: message.id, retries: message.retries ?? 0, signal: limit.signal }
  return await Promise.race([run(args as never, kwargs as never, context), overdue.promise])
}

function checkArguments<T>(schema: z.ZodType<T>, { task, args, kwargs }: Message): T {
  let why: string
  try {
    const checked = schema.safeParse([args, kwargs])
    if (checked.success) return checked.data
    why = reason(checked.error)
  } catch (error) {
    // A schema that walks through lists in lists overflows the stack.
    why = messageOf(error)
  }
  throw new WrongArguments(`${task}: ${why}`)
}

function metaOf(id: string, status: string, result: unknown, traceback: string | null = null) {
  return { status, result, traceback, children: [], date_done: new Date().toISOString(), task_id: id }
}

/** Python uses its own class if the module has one of that name, such as TypeError, and makes a new class otherwise. */
function failed(id: string, error: Error, module: string) {
  const message = messageOf(error).slice(0, longestMessage)
  const traceback = (error.stack ?? message).slice(0, longestTraceback)
  const type = error.name.slice(0, 200) || 'Error'
  return metaOf(id, 'FAILURE', { exc_type: type, exc_message: [message], exc_module: module }, traceback)
}

/** One of Celery's own exceptions. */
class NamedError extends Error {
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

class WrongArguments extends TypeError {}
class WrongResult extends TypeError {}

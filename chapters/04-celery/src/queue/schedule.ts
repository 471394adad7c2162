/**
 * Periodic tasks: Celery's beat, BullMQ's job schedulers.
 *
 * A schedule is stored in Redis beside its queue, under its name. At most one of its tasks waits for its time; the
 * worker that takes this task first adds the next one. So a schedule survives restarts, fires once even when many
 * programs declare it, needs no process of its own, and does not pile up while no worker runs.
 */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '@repo/common/output/errors'
import { defaultRepeatStrategy } from 'bullmq'
import type { Client } from './client.ts'
import type { Message } from './message.ts'
import type { TaskResult } from './results.ts'
import { longestMs } from './settings.ts'
import type { Signature } from './task.ts'

/** An interval that first fires at once; or a cron pattern of five fields, or of six with seconds first. */
export type When = { everyMs: number } | { cron: string; timeZone?: string }

export interface Schedule {
  name: string
  task: string
  queue: string
  when: When
  /** When it is due next. */
  next: Date | undefined
}

/**
 * Declares a schedule. Declaring the same one again changes nothing; a different one with the same name replaces it, if
 * its task goes to the same queue. If it goes to another queue, `unschedule` the old one there. `expiresInMs` of the
 * task counts from the moment it is due.
 *
 * @returns its next task, or undefined when the schedule was already there
 * @throws a RangeError for a schedule that cannot be met, such as a cron pattern that is never due
 */
export async function schedule(
  client: Client,
  name: string,
  when: When,
  signature: Signature,
): Promise<TaskResult | undefined> {
  await checkWhen(name, when)
  for (const own of ['eta', 'countdownMs', 'idempotencyKey'] as const) {
    if (signature.options?.[own] === undefined) continue
    throw new RangeError(
      `schedule "${name}": received ${own}; a schedule says by itself when its tasks run, and how often`,
    )
  }
  const { queueName, name: task, data, opts } = client.toJobAlone(signature)
  const { jobId: _id, ...kept } = opts
  const { expiresAt: _at, ...message } = data
  const expiresInMs = signature.options?.expiresInMs ?? signature.task.expiresInMs
  const template: Message = { ...message, ...(expiresInMs !== undefined && { expiresInMs }) }
  const declared = { when, task, data: template, opts: kept }
  return await client.explaining(async () => {
    const queue = client.queue(queueName)
    const known = await queue.getJobScheduler(name)
    if (known && isSame(declared, { when: whenOf(known), task: known.name, opts: {}, ...known.template }))
      return undefined
    const job = await queue.upsertJobScheduler(name, repeatOf(when), { name: task, data: template, opts: kept })
    return job?.id ? client.result(job.id, { queue: queueName, task }) : undefined
  })
}

/** Compares as JSON: one of them comes from Redis, and has no properties that are undefined. */
const isSame = (one: unknown, other: unknown) => isDeepStrictEqual(JSON.parse(JSON.stringify(one)), other)

async function checkWhen(name: string, when: When): Promise<void> {
  if (name === '') throw new RangeError('schedule: received an empty name; accepts any other')
  const given = Object.keys(when).toSorted().join(' and ')
  if (!['everyMs', 'cron', 'cron and timeZone'].includes(given)) {
    throw new RangeError(
      `schedule "${name}": received ${given || 'no time'}; accepts everyMs, cron, or cron and timeZone`,
    )
  }
  if ('everyMs' in when) {
    if (Number.isInteger(when.everyMs) && when.everyMs >= 1 && when.everyMs <= longestMs) return
    const accepted = `whole milliseconds from 1 to ${longestMs}`
    throw new RangeError(`schedule "${name}": everyMs: received ${when.everyMs}; accepts ${accepted}`)
  }
  const { cron, timeZone } = when
  const wrongZone = () =>
    new RangeError(`schedule "${name}": timeZone: received "${timeZone}"; accepts names like Europe/Berlin`)
  if (timeZone === '') throw wrongZone()
  const received = `schedule "${name}": cron: received "${cron}"${timeZone === undefined ? '' : ` in "${timeZone}"`}`
  if (!/^@|^\s*(\S+\s+){4,5}\S+\s*$/.test(cron)) throw new RangeError(`${received}; accepts five or six fields`)
  // By BullMQ's own reading, which would store a pattern that is never due, and never fire.
  const next = await Promise.resolve(Date.now())
    .then((now) => defaultRepeatStrategy(now, repeatOf(when)))
    .catch((error: unknown) => {
      // Of a zone that does not exist, it only says that the time is wrong.
      if (!isTimeZone(timeZone)) throw wrongZone()
      throw new RangeError(`${received} (${messageOf(error)}); accepts patterns that are due some day`)
    })
  if (!next) throw new RangeError(`${received}; accepts patterns that are due some day`)
}

function isTimeZone(timeZone: string | undefined): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch {
    return false
  }
}

/** The schedules of a queue. */
export async function schedules(client: Client, queue: string): Promise<Schedule[]> {
  const known = await client.explaining(() => client.queue(queue).getJobSchedulers())
  return known.map((scheduler) => ({
    name: scheduler.key,
    task: scheduler.name,
    queue,
    when: whenOf(scheduler),
    next: scheduler.next === undefined ? undefined : new Date(scheduler.next),
  }))
}

/** Removes a schedule and its waiting task; returns whether it was there. */
export async function unschedule(client: Client, queue: string, name: string): Promise<boolean> {
  return await client.explaining(() => client.queue(queue).removeJobScheduler(name))
}

function repeatOf(when: When) {
  if ('everyMs' in when) return { every: when.everyMs }
  return { pattern: when.cron, ...(when.timeZone && { tz: when.timeZone }) }
}

function whenOf({ every, pattern, tz }: { every?: number; pattern?: string; tz?: string }): When {
  if (pattern === undefined) return { everyMs: every ?? 0 }
  return { cron: pattern, ...(tz && { timeZone: tz }) }
}

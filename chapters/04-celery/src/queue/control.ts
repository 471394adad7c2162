/**
 * Remote control: questions to all workers, or to some by name, and their answers. Celery's `control` and `inspect`.
 *
 * A question is published to all workers. PUBLISH returns how many heard it, so the client waits for that many answers
 * and needs its timeout only when some are missing.
 */
import { randomUUID } from 'node:crypto'
import { after } from '@repo/common/async/timer'
import { z } from 'zod'
import type { Client } from './client.ts'
import { type Answer, controlChannel, replyChannel } from './message.ts'

const command = z.discriminatedUnion('command', [
  z.object({ command: z.literal('ping') }),
  z.object({ command: z.literal('stats') }),
  z.object({ command: z.literal('active') }),
  z.object({ command: z.literal('registered') }),
  z.object({ command: z.literal('shutdown') }),
  z.object({ command: z.literal('concurrency'), value: z.int().min(1).max(10_000) }),
  z.object({ command: z.literal('revoke'), ids: z.array(z.string()), terminate: z.boolean() }),
])
/** What a worker can be asked. */
export type Command = z.infer<typeof command>

const question = z.object({
  id: z.string(),
  client: z.string(),
  /** Names of workers. Default: all. */
  to: z.array(z.string()).optional(),
  ask: command,
})
/** A command as it travels: data, which the worker checks. */
export type Question = z.infer<typeof question>

/** Reads a question from the channel; undefined for any other text, or when it is for other workers. */
export function questionFor(worker: string, text: string): Question | undefined {
  try {
    const parsed = question.safeParse(JSON.parse(text))
    if (!parsed.success) return undefined
    return parsed.data.to && !parsed.data.to.includes(worker) ? undefined : parsed.data
  } catch {
    return undefined
  }
}

export interface AskOptions {
  /** Names of workers. Default: all. */
  to?: readonly string[]
  /** How long to wait when fewer workers answer than heard the question. Default: 1 s. */
  timeoutMs?: number
}

/** Asks all workers, or the named ones. Returns the answers in order of arrival; an empty list without workers. */
export async function ask<T = unknown>(
  client: Client,
  what: Command,
  { to, timeoutMs = 1_000 }: AskOptions = {},
): Promise<{ worker: string; answer: T }[]> {
  const id = randomUUID()
  const answers: { worker: string; answer: T }[] = []
  const complete = Promise.withResolvers<void>()
  let expected = Number.POSITIVE_INFINITY
  const stop = client.onAnswer((answer) => {
    if (answer.question !== id) return
    answers.push({ worker: answer.worker, answer: answer.answer as T })
    if (answers.length >= expected) complete.resolve()
  })
  using _timer = after(timeoutMs, complete.resolve, 'timeoutMs')
  try {
    await client.results.listenTo(client.id)
    const asked: Question = { id, client: client.id, ask: what, ...(to && { to: [...to] }) }
    const heard = await client.redis.publish(controlChannel(client.prefix), JSON.stringify(asked))
    expected = to ? Math.min(to.length, heard) : heard
    if (answers.length < expected) await complete.promise
    return answers
  } catch (error) {
    throw client.explained(error)
  } finally {
    stop()
  }
}

/** A worker's answer, as the channel and text to publish. */
export function answerTo(prefix: string, { id, client }: Question, worker: string, answer: unknown): [string, string] {
  const message: Answer = { question: id, worker, answer }
  return [replyChannel(prefix, client), JSON.stringify(message)]
}

/** A worker's own figures. */
export interface WorkerStats {
  pid: number
  host: string
  queues: string[]
  /** Places for tasks in each of its queues. */
  concurrency: number
  /** Places taken now, across all its queues. */
  running: number
  succeeded: number
  failed: number
  /** Failed tries that were followed by a retry. */
  retried: number
  startedAt: number
  /** Memory of the process in bytes. */
  rss: number
}

/** A running task. */
export interface RunningTask {
  id: string
  task: string
  queue: string
  args: unknown
  startedAt: number
}

/** The names of the workers that answer. */
export async function ping(client: Client, options?: AskOptions): Promise<string[]> {
  return (await ask(client, { command: 'ping' }, options)).map(({ worker }) => worker).sort()
}

export async function stats(client: Client, options?: AskOptions): Promise<(WorkerStats & { worker: string })[]> {
  const answers = await ask<WorkerStats>(client, { command: 'stats' }, options)
  return answers.map(({ worker, answer }) => ({ worker, ...answer }))
}

/** All running tasks. */
export async function active(client: Client, options?: AskOptions): Promise<(RunningTask & { worker: string })[]> {
  const answers = await ask<RunningTask[]>(client, { command: 'active' }, options)
  return answers.flatMap(({ worker, answer }) => answer.map((task) => ({ worker, ...task })))
}

/** A queue's tasks that wait for their time, because of a countdown, ETA or retry; the next first. Read from Redis. */
export async function scheduled(
  client: Client,
  queue: string,
): Promise<{ id: string; task: string; args: unknown; at: Date }[]> {
  return await client.explaining(async () => {
    const from = client.queue(queue)
    const jobs = await from.getDelayed()
    if (jobs.length === 0) return []
    // Only the set knows the time: the job's own fields are as old as its last try. A score's low 12 bits are the order.
    const ids = jobs.map(({ id = '' }) => id)
    const scores = (await client.redis.call('ZMSCORE', [from.toKey('delayed'), ...ids])) as (string | null)[]
    return jobs
      .flatMap(({ id = '', name, data }, at) => {
        const score = scores[at]
        // The job may have left the set meanwhile.
        return score ? [{ id, task: name, args: data.args, at: new Date(Math.floor(Number(score) / 4_096)) }] : []
      })
      .sort((a, b) => a.at.getTime() - b.at.getTime())
  })
}

/** Asks workers to shut down after they have finished their running tasks. Returns the names of those that will. */
export async function shutdown(client: Client, options?: AskOptions): Promise<string[]> {
  return (await ask(client, { command: 'shutdown' }, options)).map(({ worker }) => worker).sort()
}

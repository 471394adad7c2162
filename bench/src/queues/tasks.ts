/** The work that every queue of `compare` gets: the same three functions; bench/src/queues/peers.py has them in Python. */
import { appendFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { remote } from '04-celery/rq/rq'
import { z } from 'zod'

export const compareTasks = {
  /** Next to nothing: what it takes is the queue's own time. */
  add: remote(z.tuple([z.number(), z.number()]), (a, b) => a + b),
  /** Waits, as for an answer from far away. */
  nap: remote(z.tuple([z.number()]), async (ms) => {
    await delay(ms)
    return ms
  }),
  /** Notes that it has begun in a file, and then takes its time: to be killed in the middle. */
  slow: remote(z.tuple([z.string(), z.number()]), async (file, ms) => {
    await appendFile(file, `${process.pid} ${process.ppid}\n`)
    await delay(ms)
    return ms
  }),
}
export type CompareTask = keyof typeof compareTasks

/** Runs one of them, with arguments that came out of a message. */
export function runTask(name: string, args: unknown): unknown {
  if (!Object.hasOwn(compareTasks, name)) throw new Error(`no task "${name}"`)
  const { args: schema, run } = compareTasks[name as CompareTask]
  return (run as (...args: unknown[]) => unknown)(...schema.parse(args))
}

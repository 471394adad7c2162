/** The work that every contender gets: the same three functions, which peers.py has in Python. */
import { appendFile, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { remote } from '04-celery/rq/rq'
import { z } from 'zod'

// #region tasks
export const tasks = {
  /** Takes next to no time, so what is measured is the queue's own. */
  add: remote(z.tuple([z.number(), z.number()]), (a, b) => a + b),
  /** Waits, as for an answer from far away. */
  nap: remote(z.tuple([z.number()]), async (ms) => {
    await delay(ms)
    return ms
  }),
  /** Writes into a file that it has begun. The first time it takes a minute, so that it can be killed in the middle. */
  slow: remote(z.tuple([z.string(), z.number()]), async (file, ms) => {
    await appendFile(file, `${process.pid} ${process.ppid}\n`)
    const begun = (await readFile(file, 'utf8')).trim().split('\n').length
    await delay(begun === 1 ? 60_000 : ms)
    return ms
  }),
}
// #endregion tasks
export type TaskName = keyof typeof tasks

/** Runs a task with arguments that came out of a message. */
export function runTask(name: string, args: unknown): unknown {
  if (!Object.hasOwn(tasks, name)) throw new Error(`no task "${name}"`)
  const { args: schema, run } = tasks[name as TaskName]
  return (run as (...args: unknown[]) => unknown)(...schema.parse(args))
}

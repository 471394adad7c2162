/** Which queue a task goes to, and in which order tasks of one queue run. */

/** Queues by the names of tasks; `*` stands for any number of characters. The first matching pattern wins. */
export type Routes = Readonly<Record<string, string>>

/** Priorities go from 1, which runs first, to this one. */
export const lastPriority = 9
/** For tasks without a priority in a queue that keeps priorities. */
export const normalPriority = 5

/** The queue for a task, or undefined if no route matches. */
export function routed(task: string, routes: Routes = {}): string | undefined {
  for (const [pattern, queue] of Object.entries(routes)) if (fits(task, pattern)) return queue
  return undefined
}

function fits(task: string, pattern: string): boolean {
  const [start = '', ...rest] = pattern.split('*')
  const end = rest.pop()
  if (end === undefined) return task === pattern
  if (!task.startsWith(start) || !task.endsWith(end)) return false
  let at = start.length
  for (const part of rest) {
    const found = task.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= task.length - end.length
}

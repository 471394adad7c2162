/**
 * A task queue and a result queue between processes. The queues lie in the process that owns them; a consumer, which is a
 * process of its own, asks for a task over its channel to the owner, waits, and sends back a result. It ends when it
 * takes a stop marker, so there must be one marker for each consumer, behind all tasks.
 *
 * The owner notes which task each consumer holds: one that dies neither loses its task nor its stop marker. The task
 * fails with the cause, and another consumer takes the dead one's place.
 */
import { startProgram } from '@repo/common/process'
import { AsyncQueue } from './async-queue.ts'

/** Counts the words of the address at this place in the list of all, sends a text back, or kills its own process. */
export type ConsumerTask = { address: number } | { echo: string } | { kill: true }

/** The stop marker. */
export const stop = null

export type ConsumerMessage = { get: true } | { put: unknown }

export interface TaskResult {
  task: ConsumerTask
  /** Which process did it. */
  pid: number
  value?: unknown
  /** Why there is no value. */
  error?: string
}

export interface ConsumeOptions {
  consumers: number
  signal?: AbortSignal
  onResult?: (result: TaskResult) => void
  /** Called when the consumers are there, before the first task is put in. */
  onReady?: (pids: number[]) => void
}

/**
 * Puts all tasks and a stop marker for each consumer into a queue, lets processes consume them, and waits for the end of
 * all.
 *
 * @returns the results in the order in which they came, one for each task
 */
export async function consume(
  tasks: ConsumerTask[],
  { consumers, signal, onResult, onReady }: ConsumeOptions,
): Promise<TaskResult[]> {
  const taskQueue = new AsyncQueue<ConsumerTask | typeof stop>()
  const resultQueue = new AsyncQueue<TaskResult>()
  const program = new URL('./consumer.program.ts', import.meta.url)
  const start = () => startProgram(program, { signal })

  const running = new Set<Awaited<ReturnType<typeof start>>>()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})

  const serve = (child: Awaited<ReturnType<typeof start>>) => {
    running.add(child)
    let held: ConsumerTask | typeof stop | undefined
    let alive = true
    child.process.on('message', async (message: ConsumerMessage) => {
      if ('put' in message) {
        const task = held
        held = undefined
        if (task) resultQueue.put({ task, pid: child.pid, value: message.put })
        return
      }
      const item = await taskQueue.take()
      if (!alive) return taskQueue.putBack(item)
      held = item
      child.process.send({ item }, () => {})
    })
    void child.exited.then(async ({ code, signal: endedBy }) => {
      alive = false
      running.delete(child)
      // It has taken its stop marker: the regular end.
      if (held === stop || signal?.aborted) return
      const how = endedBy ? `was ended by ${endedBy}` : `exited with code ${code}`
      if (held) resultQueue.put({ task: held, pid: child.pid, error: `its consumer, process ${child.pid}, ${how}` })
      try {
        serve(await start())
      } catch (error) {
        failed.reject(error)
      }
    })
  }

  signal?.addEventListener('abort', () => failed.reject(signal.reason), { once: true })
  try {
    const children = await Promise.all(Array.from({ length: consumers }, start))
    children.forEach(serve)
    onReady?.(children.map(({ pid }) => pid))
    for (const task of tasks) taskQueue.put(task)
    for (let consumer = 0; consumer < consumers; consumer++) taskQueue.put(stop)
    const results: TaskResult[] = []
    while (results.length < tasks.length) {
      const result = await Promise.race([resultQueue.take(), failed.promise])
      onResult?.(result)
      results.push(result)
    }
    await Promise.race([Promise.all([...running].map(({ exited }) => exited)), failed.promise])
    return results
  } finally {
    await Promise.all([...running].map((child) => child.stop()))
  }
}

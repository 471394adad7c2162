/**
 * A task queue and a result queue between processes. The queues lie in the process that owns them; a consumer, which is a
 * process of its own, asks for a task over its channel to the owner, waits, and sends back a result. It ends when it
 * takes a stop marker, so there must be one marker for each consumer, behind all tasks.
 *
 * The owner notes which task each consumer holds: one that dies neither loses its task nor its stop marker. The task
 * fails with the cause, and another consumer takes the dead one's place.
 */
import { type Program, startProgram } from '@repo/common/process/child'
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
  const over = new AbortController()
  const stopping = signal ? AbortSignal.any([signal, over.signal]) : over.signal
  const start = () => startProgram(new URL('./consumer.program.ts', import.meta.url), { signal: stopping })

  /** Gives a consumer what it asks for until it ends; returns whether it had taken its stop marker. */
  async function serve({ process, pid, exited }: Program<undefined>): Promise<boolean> {
    let held: ConsumerTask | typeof stop | undefined
    let alive = true
    process.on('message', async (message: ConsumerMessage) => {
      if ('put' in message) {
        const task = held
        held = undefined
        if (task) resultQueue.put({ task, pid, value: message.put })
        return
      }
      const item = await taskQueue.take()
      if (!alive) return taskQueue.putBack(item)
      held = item
      process.send({ item }, () => {})
    })
    const { code, signal: endedBy } = await exited
    alive = false
    const how = endedBy ? `was ended by ${endedBy}` : `exited with code ${code}`
    if (held && !stopping.aborted) resultQueue.put({ task: held, pid, error: `its consumer, process ${pid}, ${how}` })
    return held === stop
  }

  const pids: number[] = []
  const serving = Array.from({ length: consumers }, async () => {
    let child = await start()
    if (pids.push(child.pid) === consumers) {
      onReady?.(pids)
      for (const task of tasks) taskQueue.put(task)
      for (let consumer = 0; consumer < consumers; consumer++) taskQueue.put(stop)
    }
    // Another one takes the place of one that ended in any other way; none does once all are to stop.
    while (!(await serve(child))) child = await start()
  })
  const served = Promise.all(serving)
  const failed = Promise.withResolvers<never>()
  served.catch(failed.reject)
  failed.promise.catch(() => {})
  try {
    const results: TaskResult[] = []
    while (results.length < tasks.length) {
      const result = await Promise.race([resultQueue.take(), failed.promise])
      onResult?.(result)
      results.push(result)
    }
    await served
    return results
  } finally {
    over.abort()
    await Promise.allSettled(serving)
  }
}

/**
 * A task queue and a result queue between processes. Both queues live in the process that owns them. A consumer is a
 * process of its own: it asks its owner for a task, waits for one, sends back the result, and asks again. It ends when
 * it takes a stop marker, so the owner puts one marker for each consumer behind the last task.
 *
 * The owner notes which task each consumer holds. When a consumer dies, that task fails with the cause, and a new
 * consumer takes the place of the dead one: no task is lost, and no stop marker is left over.
 */

import { messageOf } from '@repo/common/output/errors'
import { type Program, startProgram } from '@repo/common/process/child'
import type { AsyncQueue } from './async-queue.ts'

/** Counts the words of the address at this index, sends a text back, or kills the consumer. */
export type ConsumerTask = { address: number } | { echo: string } | { kill: true }

/** The stop marker. */
export const stop = null

export type ConsumerMessage = { get: true } | { put: unknown }

export interface TaskResult {
  task: ConsumerTask
  /** The process that did the task. */
  pid: number
  value?: unknown
  /** Why there is no value. */
  error?: string
}

export interface ConsumerQueues {
  tasks: AsyncQueue<ConsumerTask | typeof stop>
  /** Gets one result for each task, in the order in which they arrive. Fails when a consumer cannot be started. */
  results: AsyncQueue<TaskResult>
  signal?: AbortSignal | undefined
}

export interface Consumers extends AsyncDisposable {
  /** The processes that were started at first, without their replacements. */
  pids: number[]
  /** Fulfilled when every consumer has taken its stop marker and ended. */
  ended: Promise<void>
}

/**
 * Starts processes that take tasks from one queue and put results into the other, until each takes a stop marker. Throws
 * a RangeError if `count` is not a whole number from 1: nothing would take the tasks.
 */
export async function startConsumers(count: number, { tasks, results, signal }: ConsumerQueues): Promise<Consumers> {
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`count: received ${count}; accepts a whole number of consumers from 1`)
  }
  const disposal = new AbortController()
  const stopping = signal ? AbortSignal.any([signal, disposal.signal]) : disposal.signal
  // JSON would leave out what it cannot carry, and a consumer would get another task.
  const start = () =>
    startProgram(new URL('./consumer.program.ts', import.meta.url), { signal: stopping, serialization: 'advanced' })

  /** Gives a consumer what it asks for until it ends. Returns whether it had taken its stop marker. */
  async function serve({ process, pid, exited }: Program<undefined>): Promise<boolean> {
    let held: ConsumerTask | typeof stop | undefined
    let alive = true
    process.on('message', async (message: ConsumerMessage) => {
      if ('put' in message) {
        const task = held
        held = undefined
        if (task) results.put({ task, pid, value: message.put })
        return
      }
      for (let sent = false; !sent; ) {
        const item = await tasks.take()
        if (!alive) return tasks.putBack(item)
        try {
          process.send({ item }, () => {})
          held = item
          sent = true
        } catch (error) {
          // A task that cannot be copied, such as a function. Only this one fails, and the consumer gets the next.
          if (item) results.put({ task: item, pid, error: messageOf(error).replaceAll(/\s*\n\s*/g, ' ') })
        }
      }
    })
    const { code, signal: endedBy } = await exited
    alive = false
    const how = endedBy ? `was ended by ${endedBy}` : `exited with code ${code}`
    if (held && !stopping.aborted) results.put({ task: held, pid, error: `its consumer, process ${pid}, ${how}` })
    return held === stop
  }

  const starting = Array.from({ length: count }, start)
  const serving = starting.map(async (first) => {
    let consumer = await first
    while (!(await serve(consumer))) consumer = await start()
  })
  const ended = Promise.all(serving).then(() => {})
  ended.catch((error) => results.fail(error))
  const dispose = async () => {
    disposal.abort()
    await Promise.allSettled(serving)
  }
  try {
    const pids = (await Promise.all(starting)).map(({ pid }) => pid)
    return { pids, ended, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** A queue with several producers and several workers, and its end. */
import type { ProducerOptions, WorkerOptions } from './check.ts'

/**
 * Puts the tasks of one producer into the queue. When all producers have ended, there is nothing left that a worker could
 * wait for.
 */
export async function produce(tasks: readonly string[], { queue, workers, counter }: ProducerOptions): Promise<void> {
  for (const task of tasks) await queue.put(task)
  // Counted in one step, and after its own tasks: the producer that reaches 0 knows that all tasks are in the queue.
  if ((await counter.countDown()) > 0) return
  for (let worker = 0; worker < workers; worker++) await queue.put(null)
}

/** Takes tasks from the queue and does them, until there are no more. */
export async function work({ queue, perform }: WorkerOptions): Promise<void> {
  for (let task = await queue.take(); task !== null; task = await queue.take()) await perform(task)
}
